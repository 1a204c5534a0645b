import type { AddressInfo } from "node:net";
import ssh2 from "ssh2";
import { expect, onTestFinished, test } from "vitest";
import { execOn } from "./exec.ts";

/** A connection to a server that answers each command at once, with all there is to say of it in one packet. */
async function connected(answer: (channel: ssh2.ServerChannel) => void): Promise<ssh2.Client> {
  const { private: hostKey } = ssh2.utils.generateKeyPairSync("ed25519");
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    client.on("error", () => {}); // the test leaves without a farewell
    client.on("authentication", (context) => context.accept());
    client.on("session", (accept) => accept().on("exec", (run) => answer(run())));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new ssh2.Client();
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  await new Promise<void>((resolve, reject) => {
    client.once("ready", resolve).once("error", reject);
    client.connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, username: "root" });
  });
  return client;
}
const options = { signal: new AbortController().signal, loss: () => undefined };

test("a command that has ended before the listener starts has its exit code and its output", async () => {
  const client = await connected((channel) => {
    channel.write("out");
    channel.stderr.write("err");
    channel.exit(3);
    channel.end();
  });
  const results = await Promise.all(Array.from({ length: 9 }, () => execOn(client, "root@m2", "x", options)));
  expect(new Set(results.map((result) => JSON.stringify(result)))).toEqual(
    new Set([JSON.stringify({ stdout: "out", stderr: "err", exitCode: 3 })]),
  );
});

test("one that ends without an exit code was lost", async () => {
  const client = await connected((channel) => channel.end());
  await expect(execOn(client, "root@m2", "x", options)).rejects.toMatchObject({
    ...{ code: "ssh_unreachable", message: "root@m2: the connection was lost" },
  });
});
