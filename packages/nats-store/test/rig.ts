import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { findProgram, spawnStream, waitFor } from "@ployz/exec";
import {
  createIdentity,
  type Identity,
  initStore,
  type Json,
  openSession,
  openStore,
  type SessionOptions,
} from "../src/index.ts";
import { renderConfig } from "../src/server/config.ts";
import { monitor } from "../src/server/monitor.ts";
import type { Role } from "../src/server/permissions.ts";

/** The binary under test: PLOYZ_NATS_SERVER, PATH, or the download of scripts/lib/nats-server.sh in .cache. */
export async function serverBinary(): Promise<string> {
  const cached = fileURLToPath(new URL("../../../.cache/", import.meta.url));
  const found = process.env.PLOYZ_NATS_SERVER ?? (await findProgram("nats-server", [cached]));
  if (found === undefined) throw new Error("no nats-server: run scripts/lib/nats-server.sh .cache");
  return found;
}

const given = new Set<number>();

/** Below the kernel's ephemeral port range, so that the port is still free when a server starts later. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (given.has(port)) continue;
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    given.add(port);
    return port;
  }
}

export interface Rig {
  readonly dir: string;
  readonly port: number;
  readonly monitorPort: number;
  readonly cluster: string;
  readonly identities: Readonly<Record<string, Identity>>;
  options(machine: string, more?: Partial<SessionOptions>): SessionOptions;
  store(machine: string, more?: Partial<SessionOptions>): ReturnType<typeof openStore>;
  start(): Promise<void>;
  /** SIGKILL by default; resolves when the process has exited. */
  kill(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Resolves when the server is idle. */
  pause(): Promise<void>;
  resume(): void;
  onCleanup(work: () => unknown): void;
  cleanup(): Promise<void>;
}

/** A real store server on loopback with a founder `m1` (store authority) and plain members; streams are created. */
export async function startRig(members: readonly string[] = ["m2", "m3"]): Promise<Rig> {
  const binary = await serverBinary();
  const dir = await mkdtemp(`${tmpdir()}/ployz-nats-`);
  const [port, monitorPort] = [await freePort(), await freePort()];
  const cluster = `test-${port}`;
  const identities = Object.fromEntries(["m1", ...members].map((name) => [name, createIdentity()]));
  const users = Object.entries(identities).map(([machine, { publicKey }]) => ({
    machine,
    publicKey,
    role: (machine === "m1" ? "store" : "machine") as Role,
  }));
  const file = `${dir}/server.conf`;
  const listen = { host: "127.0.0.1", port };
  await writeFile(
    file,
    renderConfig({ cluster, machine: "m1", generation: 1, listen, monitorPort, dir, users }),
  );
  let running: ReturnType<typeof spawnStream> | undefined;
  const cleanups: (() => unknown)[] = [];

  const rig: Rig = {
    dir,
    port,
    monitorPort,
    cluster,
    identities,
    options: (machine, more) => ({
      servers: [`127.0.0.1:${port}`],
      nkeySeed: identities[machine]?.seed ?? "",
      cluster,
      machine,
      ...more,
    }),
    store(machine, more) {
      const store = openStore(rig.options(machine, more));
      cleanups.push(() => store.close());
      return store;
    },
    async start() {
      running = spawnStream(binary, ["-c", file]);
      running.done.catch(() => undefined);
      running.stdout.resume();
      running.stderr.resume();
      await waitFor("nats-server", async () => ((await monitor(monitorPort))?.healthy ? true : undefined), {
        timeoutMs: 10_000,
      });
    },
    async kill(signal = "SIGKILL") {
      const ended = running?.done.catch(() => undefined);
      if (running?.pid !== undefined) process.kill(running.pid, signal);
      await ended;
      running = undefined;
    },
    async pause() {
      const pid = running?.pid;
      if (pid === undefined) return;
      process.kill(pid, "SIGSTOP");
      const state = async () => (await readFile(`/proc/${pid}/stat`, "latin1")).split(") ").at(-1)?.[0];
      await waitFor("the server to stop", async () => ((await state()) === "T" ? true : undefined), {
        timeoutMs: 5000,
        intervalMs: 2,
      });
    },
    resume() {
      if (running?.pid !== undefined) process.kill(running.pid, "SIGCONT");
    },
    onCleanup: (work) => void cleanups.push(work),
    async cleanup() {
      for (const work of cleanups.reverse()) await work();
      if (running) await rig.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
  await rig.start();
  const founder = openSession(rig.options("m1"));
  await initStore(founder);
  await founder.close();
  return rig;
}

/** A TCP relay whose server-to-client half can be cut: requests arrive, replies do not. */
export async function startRelay(to: number) {
  const pairs = new Set<readonly [Socket, Socket]>();
  let swallow: ((chunk: string) => boolean) | undefined;
  const server = createServer((client) => {
    const upstream = connectTcp(to, "127.0.0.1");
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const drop = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    client.pipe(upstream);
    upstream.on("data", (chunk: Buffer) => {
      if (swallow?.(chunk.toString("latin1"))) {
        swallow = undefined;
        drop();
      } else client.write(chunk);
    });
    for (const socket of pair) socket.on("error", drop).on("close", drop);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    /** Cuts the connection instead of delivering the first reply that matches. */
    cutBefore(matches: (chunk: string) => boolean) {
      swallow = matches;
    },
    cutting: () => swallow !== undefined,
    async close() {
      for (const socket of [...pairs].flat()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The operation of what a commit log gave back. */
export const operationOf = (value: Json | undefined): unknown =>
  (value as { readonly operation?: Json } | undefined)?.operation;
