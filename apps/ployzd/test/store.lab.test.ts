import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findProgram, spawnStream, waitFor } from "@ployz/exec";
import { createIdentity, initStore, monitor, openStore, renderConfig } from "@ployz/nats-store";
import type { RawStore } from "@ployz/primitives/protocol";
import { storeContract } from "@ployz/primitives/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** The port that the primitives are written against, over a real nats-server: the same contract as the store in memory. */
let dir: string;
let port: number;
let server: ReturnType<typeof spawnStream> | undefined;
const identity = createIdentity();
const CLUSTER = "contract-1";

const openOne = () =>
  openStore({ servers: [`127.0.0.1:${port}`], nkeySeed: identity.seed, cluster: CLUSTER, machine: "m1" });

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployzd-store-"));
  port = await freePort();
  const monitorPort = await freePort();
  const cached = join(import.meta.dirname, "../../../.cache");
  const binary = process.env.PLOYZ_NATS_SERVER ?? (await findProgram("nats-server", [cached]));
  if (binary === undefined) throw new Error("no nats-server: run scripts/lib/nats-server.sh .cache");
  const users = [{ machine: "m1", publicKey: identity.publicKey, role: "store" as const }];
  const config = renderConfig({
    ...{ cluster: CLUSTER, machine: "m1", generation: 1, listen: { host: "127.0.0.1", port }, monitorPort },
    ...{ dir, users },
  });
  await writeFile(join(dir, "server.conf"), config);
  server = spawnStream(binary, ["-c", join(dir, "server.conf")]);
  server.done.catch(() => {});
  server.stdout.resume();
  server.stderr.resume();
  await waitFor("nats-server", async () => ((await monitor(monitorPort))?.healthy ? true : undefined), {
    timeoutMs: 20_000,
  });
  const store = openOne();
  await initStore(store.session, { replicas: 1, generation: 1 });
  await store.close();
});

afterAll(async () => {
  if (server?.pid !== undefined) process.kill(server.pid, "SIGKILL");
  await server?.done.catch(() => {});
  await rm(dir, { recursive: true, force: true });
});

storeContract(
  async () => {
    const opened = openOne();
    const raw: RawStore = opened; // that it fits the port is checked here
    return { raw, sleep: (ms) => delay(ms), close: () => opened.close() };
  },
  { describe, it, expect },
);
