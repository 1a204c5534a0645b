import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { openServiceHost, stopS6 } from "@ployz/exec";
import {
  createIdentity,
  ensureServer,
  findServer,
  initStore,
  openRpc,
  openStore,
  serve,
} from "@ployz/nats-store";
import { connect, nkeyAuthenticator } from "nats";
import { freePorts } from "../free-ports.ts";
import { type Comparison, compare, timeEach, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";

const CALLS = 100;
const VALUE = { text: "x".repeat(512) };

/** One nats-server with fsync on every write, and the same calls through the store and through the client alone. */
export const storeSuite: Suite = async ({ rounds, progress }) => {
  const dir = await mkdtemp(join(tmpdir(), "ployz-bench-store-"));
  const host = await openServiceHost({ kind: "s6", dir: join(dir, "services"), logDir: join(dir, "log") });
  const [port = 0, monitorPort = 0] = await freePorts(2);
  const { path: binary } = await findServer(process.env.PLOYZ_NATS_SERVER);
  const [m1, m2] = [createIdentity(), createIdentity()];
  const server = {
    cluster: "bench",
    machine: "m1",
    generation: 1,
    listen: { host: "127.0.0.1", port },
    monitorPort,
    dir: join(dir, "store"),
    users: [
      { machine: "m1", publicKey: m1.publicKey, role: "store" as const },
      { machine: "m2", publicKey: m2.publicKey, role: "machine" as const },
    ],
  };
  const servers = [`127.0.0.1:${port}`];
  const closers: (() => Promise<unknown>)[] = [];
  try {
    await ensureServer(server, { host, binary });
    const store = openStore({ servers, nkeySeed: m1.seed, cluster: "bench", machine: "m1" });
    const callee = openStore({ servers, nkeySeed: m2.seed, cluster: "bench", machine: "m2" });
    closers.push(
      () => store.close(),
      () => callee.close(),
    );
    await initStore(store.session);
    const raw = async (machine: string, seed: string) => {
      const nc = await connect({
        servers: [...servers],
        inboxPrefix: `_INBOX_${machine}`,
        authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
      });
      closers.push(() => nc.close());
      return nc;
    };
    const nc = await raw("m1", m1.seed);
    const answering = await raw("m2", m2.seed);
    const js = jetstream(nc);
    const jsm = await jetstreamManager(nc, { checkAPI: false });
    const bytes = new TextEncoder().encode(JSON.stringify(VALUE));

    answering.subscribe("ployz.v1.bench.rpc.m2.raw.echo", {
      callback: (_, message) => void message.respond(message.data),
    });
    await answering.flush();
    const served = serve(callee.session, { calls: { "bench.echo": async (value) => value } });
    await served.ready();
    const rpc = openRpc(store.session);

    const kept = { put: 0, raw: 0, commit: 0, rawCommit: 0 };
    let operation = 0;
    const pair = (
      title: string,
      ours: (i: number) => Promise<unknown>,
      alone: (i: number) => Promise<unknown>,
    ) =>
      compare({
        title,
        variants: [latency("nats client alone", alone), latency("Ployz store", ours)],
        metrics: [{ name: "time", unit: "ms", better: "lower" }],
        baseline: "nats client alone",
        rounds,
        notes: [`Median of ${CALLS} calls, one after the other, per round.`],
        progress,
      });

    const results: Comparison[] = [];
    results.push(
      await pair(
        "Store: compare-and-set of a 0.5 KB fact",
        async () => {
          const written = await store.facts.put("bench.ours", VALUE, kept.put);
          if (!written.ok) throw new Error("lost a race with nobody");
          kept.put = written.revision;
        },
        async () => {
          const expect = { lastSubjectSequence: kept.raw };
          kept.raw = (await js.publish("$KV.ployz_facts.bench.raw", bytes, { expect })).seq;
        },
      ),
      await pair(
        "Store: append of a 0.5 KB commit",
        async () => {
          const commit = { namespace: "ours", operation: `op${operation++}`, ...VALUE };
          const done = await store.commits.append(commit, kept.commit);
          if (!done.committed) throw new Error("lost a race with nobody");
          kept.commit = done.revision;
        },
        async () => {
          const expect = { lastSubjectSequence: kept.rawCommit };
          kept.rawCommit = (await js.publish("ployz.v1.bench.commit.raw", bytes, { expect })).seq;
        },
      ),
      await pair(
        "Store: read of the last value of a key",
        () => store.facts.get("bench.ours"),
        () => jsm.streams.getMessage("KV_ployz_facts", { last_by_subj: "$KV.ployz_facts.bench.raw" }),
      ),
      await pair(
        "RPC: one command to another machine and its answer, 0.5 KB each way",
        () => rpc.call("m2", "bench.echo", VALUE, { timeoutMs: 5_000 }),
        () => nc.request("ployz.v1.bench.rpc.m2.raw.echo", bytes, { timeout: 5_000 }),
      ),
    );
    served.close();
    return results;
  } finally {
    for (const close of closers.reverse()) await close().catch(() => {});
    await stopS6(join(dir, "services"));
    await rm(dir, { recursive: true, force: true });
  }
};

const latency = (name: string, call: (index: number) => Promise<unknown>): Variant => ({
  name,
  sample: async () => ({ time: await timeEach(CALLS, call) }),
});
