import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { spawnStream, waitFor } from "@ployz/exec";
import { createIdentity } from "../identity.ts";
import { maxPayloadBytes } from "../server/config.ts";
import { findServer } from "../server/version.ts";
import { openSession, type Session } from "../session.ts";

export interface Scratch {
  readonly session: Session;
  stop(): Promise<void>;
}

/** A temporary server on loopback, to which only this process has the key. Its data need not be durable. */
export async function startScratch(binary: string | undefined, cluster: string): Promise<Scratch> {
  const { path } = await findServer(binary);
  const dir = await mkdtemp(`${tmpdir()}/ployz-recover-`);
  const me = createIdentity();
  const port = await freePort();
  const text = `server_name: ${JSON.stringify(`recover-${port}`)}
host: "127.0.0.1"
port: ${port}
max_payload: ${maxPayloadBytes}
jetstream { store_dir: ${JSON.stringify(dir)} }
authorization { users: [ { nkey: ${JSON.stringify(me.publicKey)} } ] }
`;
  await writeFile(`${dir}/server.conf`, text, { mode: 0o600 });
  const running = spawnStream(path, ["-c", `${dir}/server.conf`]);
  const ended = running.done.then(
    () => undefined,
    () => undefined,
  );
  running.stdout.resume();
  running.stderr.resume();
  const session = openSession({
    servers: [`127.0.0.1:${port}`],
    nkeySeed: me.seed,
    cluster,
    machine: "recover",
    deadlineMs: 10_000,
  });
  const stop = async () => {
    await session.close();
    if (running.pid !== undefined) process.kill(running.pid, "SIGKILL");
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await waitFor("a temporary store server", async () => (session.connected() ? true : undefined), {
      timeoutMs: 10_000,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { session, stop };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port on loopback");
  return address.port;
}
