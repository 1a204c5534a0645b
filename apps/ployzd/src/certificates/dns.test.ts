import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { overDns } from "./dns.ts";

type Asked = { readonly url: string; readonly body: string; readonly authorization: string | undefined };

/** A bridge to a DNS provider that notes its requests, and answers with a status. */
async function bridge(status: number | ((url: string, turn: number) => number)) {
  const asked: Asked[] = [];
  const answer = async (request: IncomingMessage) => {
    const { url = "", headers } = request;
    asked.push({ url, body: await text(request), authorization: headers.authorization });
  };
  const server = createServer((request, response) => {
    void answer(request).then(() =>
      response
        .writeHead(typeof status === "number" ? status : status(request.url ?? "", asked.length))
        .end("no such zone"),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { asked, url: `http://me:p%40ss@127.0.0.1:${port}/acme/`, close: () => server.close() };
}

const answers = [{ host: "*.example.invalid", token: "t", text: "digest" }];
const context = () => ({ signal: AbortSignal.abort(), progress() {} });

it("writes and removes a wildcard's record through a bridge, with its password in no URL", async () => {
  const { asked, url, close } = await bridge(200);
  try {
    const signal = new AbortController();
    const solver = overDns("http", url, { signal: signal.signal, progress: () => signal.abort() });
    await expect(solver.present(answers)).rejects.toThrow(); // it ends before it looks for the record
    await solver.clear(answers);
    const body = JSON.stringify({ fqdn: "_acme-challenge.example.invalid.", value: "digest" });
    const authorization = `Basic ${Buffer.from("me:p@ss").toString("base64")}`;
    expect(asked).toEqual([
      { url: "/acme/present", body, authorization },
      { url: "/acme/cleanup", body, authorization },
    ]);
  } finally {
    close();
  }
});

it("removes every record, also after one that stays", async () => {
  const { asked, url, close } = await bridge((path, turn) =>
    path.endsWith("cleanup") && turn === 3 ? 500 : 200,
  );
  try {
    const signal = new AbortController();
    const solver = overDns("http", url, { signal: signal.signal, progress: () => signal.abort() });
    const two = ["a", "b"].map((name) => ({ host: `${name}.invalid`, token: "t", text: name }));
    await expect(solver.present(two)).rejects.toThrow();
    await expect(solver.clear(two)).rejects.toMatchObject({ code: "dns_provider_failed" });
    expect(
      asked
        .filter(({ url }) => url === "/acme/cleanup")
        .map(({ body }) => JSON.parse(body).value)
        .sort(),
    ).toEqual(["a", "b"]);
  } finally {
    close();
  }
});

it("says why a provider did not write a record", async () => {
  const { url, close } = await bridge(403);
  try {
    const solver = overDns("http", url, { signal: new AbortController().signal, progress() {} });
    await expect(solver.present(answers)).rejects.toMatchObject({
      code: "dns_provider_failed",
      message: "the DNS provider http did not write the record: it answered 403 no such zone",
    });
  } finally {
    close();
  }
});

it("refuses an unknown provider, and a secret that is no URL without showing it", () => {
  for (const name of ["route66", "constructor"])
    expect(() => overDns(name, "", context())).toThrow(`no DNS provider is called ${name}`);
  expect(() => overDns("http", "hunter2", context())).toThrow(
    /^(?!.*hunter2)the secret of the provider http is no URL/,
  );
});
