import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { type Cluster, webBundle, webManifest } from "./cluster.ts";
import { atEvent, isJournaled } from "./kill.ts";
import { started } from "./started.ts";
import { storeOn, storeWriter } from "./store.ts";
import { answers, daemonStatus, within } from "./survive.ts";

/** A fault of the leading machine, prepared in advance so that it takes effect at once. */
export interface Fate {
  readonly what: string;
  readonly lastsMs: number;
  aim(cluster: Cluster, machine: number): Promise<{ begin(): Promise<unknown>; end(): Promise<unknown> }>;
}

const SET = ["m1", "m2", "m3"];
/** The machine of the deployed services, of the writer, and by default of the coordinator. It holds no store. */
const OTHER = 4;
const everyone = [1, 2, 3, OTHER];

/** Sends signals to the nats-server of a machine. */
const signals =
  (first: "KILL" | "STOP", last?: "CONT"): Fate["aim"] =>
  async (cluster, i) => {
    const { services } = await daemonStatus(cluster, i);
    const [server, ...more] = services.filter(({ name }) => name.startsWith("ployz-nats"));
    expect([server?.pid, more]).toEqual([expect.any(Number), []]);
    const send = async (name: string) => cluster.lab.sh(i, ["kill", `-${name}`, String(server?.pid)]);
    return { begin: () => send(first), end: async () => last && send(last) };
  };

export const FATES = {
  killed: { what: "is killed", lastsMs: 0, aim: signals("KILL") },
  paused: { what: "is paused for 30 s", lastsMs: 30_000, aim: signals("STOP", "CONT") },
  cutOff: {
    what: "is cut off for 30 s",
    lastsMs: 30_000,
    aim: async ({ lab }, machine) => ({
      begin: () => Promise.all(everyone.filter((i) => i !== machine).map((i) => lab.partition(machine, i))),
      end: () => lab.heal(),
    }),
  },
} as const satisfies Record<string, Fate>;

export interface LeaderRounds {
  /** Journaled events of an undisturbed deploy. */
  readonly length: number;
  /**
   * A deploy at whose `k`th event the fault hits the leader; `from` deploys, "leader" for the leader itself. The command's report must
   * match the outcome, once; then the same command finishes it. Resolves with the exit code of the first.
   */
  round(options: {
    readonly fate: Fate;
    readonly from?: number | "leader";
    readonly k: number;
  }): Promise<number>;
}

/** The store on three machines, one service on a fourth. Each deploy uses a new version. */
export async function leaderRounds(cluster: Cluster): Promise<LeaderRounds> {
  await cluster.ctl(1, ["machine", "storage", "promote", "--replicas", "3", ...SET], { timeoutMs: 180_000 });
  let n = 0;
  const next = async (i: number) => {
    const version = `v${++n}`;
    const extra = 'constraints = { machines = ["m4"] }';
    return { version, file: await cluster.put(i, webManifest({ version, replicas: 2, extra }), webBundle) };
  };
  const history = async () =>
    (
      await cluster.json<{ commits: readonly { readonly revision: number }[] }>(OTHER, ["history", "prod"])
    ).commits
      .map(({ revision }) => revision)
      .slice(0, 10);
  const leader = async () => {
    const { streams } = await storeOn(cluster, OTHER, SET);
    const id = streams.find(({ name }) => name === "PLOYZ_COMMITS")?.leader ?? "";
    return Number(id.replace(/^m/, ""));
  };
  const serve = (version: string) =>
    within(`every gateway serves ${version}`, 30_000, async () => {
      const seen = await Promise.all(everyone.map((i) => answers(cluster, i, 2)));
      return seen.every(({ versions }) => versions.join() === version) ? (true as const) : undefined;
    });

  await cluster.ctl(OTHER, ["deploy", "-f", (await next(OTHER)).file]);
  const undisturbed = await next(OTHER);
  const clean = await started(cluster, OTHER, ["deploy", "-f", undisturbed.file]);
  expect((await clean.done).exitCode).toBe(0);
  const length = clean.events.filter(isJournaled).length;
  let serving = undisturbed.version;

  const round: LeaderRounds["round"] = async ({ fate, from = OTHER, k }) => {
    const led = await leader();
    const coordinator = from === "leader" ? led : from;
    const { version, file } = await next(coordinator);
    const before = await history();
    const then = (committed: boolean) => (committed ? [expect.any(Number), ...before].slice(0, 10) : before);
    const { begin, end } = await fate.aim(cluster, led);
    await using writing = await storeWriter(cluster, OTHER);
    const asked = performance.now();
    const running = await started(cluster, coordinator, ["deploy", "-f", file]);
    expect(await atEvent(running, k), JSON.stringify(running.events)).toBe(true);
    await begin();
    const over = delay(fate.lastsMs).then(end);
    const { exitCode, stdout } = await running.done;
    const tookMs = Math.round(performance.now() - asked);
    await over;
    await storeOn(cluster, OTHER, SET);
    const written = await writing.end();
    const label = `m${led}, which leads, ${fate.what} at event ${k} of a deploy from m${coordinator}`;
    console.log(`${label}: exit code ${exitCode} after ${tookMs} ms, ${JSON.stringify(written)}`);
    expect(written.lost, label).toEqual([]);
    const after = await history();
    const committed = exitCode === 0 || exitCode === 5;
    const uncertain = stdout.includes('"state":"interrupted"') || stdout.includes('"outcome_unknown"');
    if (!uncertain) {
      expect(after, `${label}\n${stdout}`).toEqual(then(committed));
      await serve(committed ? version : serving);
    }
    const again = await cluster.put(
      OTHER,
      (await cluster.lab.sh(coordinator, ["cat", file])).stdout,
      webBundle,
    );
    await cluster.ctl(OTHER, ["deploy", "-f", again], { timeoutMs: 180_000 });
    const finished = await history();
    expect(finished, `${label}\n${stdout}`).toEqual(then(true));
    await serve(version);
    serving = version;
    return exitCode;
  };
  return { length, round };
}
