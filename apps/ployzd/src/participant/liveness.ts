import { identify, isAlive, pause, signalProcess, waitFor } from "@ployz/exec";
import type { Commit, Hangs, Liveness } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import type { Logger } from "pino";
import { type HangCounts, openHangs } from "../state/hangs.ts";
import type { Stopped } from "../state/stopped.ts";
import { probe } from "./probe.ts";

/** One committed instance of this machine that has `liveness`. */
interface Watched {
  readonly id: string;
  readonly address: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly liveness: Liveness;
  /** How long after the begin of a life a bad answer does not count, as long as there was no good one. */
  readonly startMs: number;
  readonly stopSignal: NodeJS.Signals;
  readonly graceMs: number;
}

interface Deps {
  readonly self: string;
  readonly runtime: Pick<Runtime, "inspect" | "exec">;
  readonly stopped: Pick<Stopped, "has">;
  readonly hangs: HangCounts;
  readonly signal: AbortSignal;
  heads(): readonly Commit[];
  /** Calls after each commit. */
  onHeads(listener: () => void): () => void;
  log(id: string, hangs: Hangs): void;
  failed(error: unknown): void;
}

/** Begins to watch, with the counts of the file. */
export async function openLiveness({
  path,
  log,
  ...deps
}: Omit<Deps, "hangs" | "log" | "failed"> & { readonly path: string; readonly log: Logger }): Promise<{
  readonly hangs: HangCounts;
  readonly ended: Promise<void>;
}> {
  const hangs = await openHangs(path, () => new Date());
  const ended = watchLiveness({
    ...{ ...deps, hangs },
    log: (id, found) => log.warn({ id, ...found }, "restarting a hung instance"),
    failed: (error) => log.warn({ err: error }, "liveness"),
  });
  return { hangs, ended };
}

/**
 * Restarts hung instances of this machine: ends their program, which the supervisor or the engine then starts again, as after a crash.
 * Needs no store. Resolves when the signal aborts.
 */
export async function watchLiveness(deps: Deps): Promise<void> {
  const watches = new Map<string, { readonly key: string; readonly end: AbortController }>();
  const ended = new Set<Promise<void>>();
  const follow = () => {
    const wanted = new Map(deps.heads().flatMap((commit) => watchedIn(commit, deps.self)));
    for (const [id, { key, end }] of watches)
      if (JSON.stringify(wanted.get(id)) !== key) {
        end.abort();
        watches.delete(id);
      }
    deps.hangs.keepOnly([...wanted.keys()]).catch(deps.failed);
    for (const [id, one] of wanted) {
      if (watches.has(id)) continue;
      const end = new AbortController();
      watches.set(id, { key: JSON.stringify(one), end });
      const watching = watch(one, deps, AbortSignal.any([end.signal, deps.signal])).finally(() => {
        ended.delete(watching);
      });
      ended.add(watching);
    }
  };
  const leave = deps.onHeads(follow);
  follow();
  await new Promise<void>((resolve) => {
    if (deps.signal.aborted) resolve();
    deps.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  leave();
  await Promise.all(ended);
}

function watchedIn(commit: Commit, self: string): readonly (readonly [string, Watched])[] {
  return commit.instances.flatMap(({ id, service, machine, address, ports }) => {
    const spec = commit.services[service]?.spec;
    if (machine !== self || spec?.liveness === undefined) return [];
    const { liveness, ready, stopGraceMs, stopSignal = "SIGTERM" } = spec;
    const times = { startMs: ready?.timeoutMs ?? 0, graceMs: stopGraceMs };
    return [[id, { id, address, ports, liveness, ...times, stopSignal: stopSignal as NodeJS.Signals }]];
  });
}

/** From one question to the next, for as long as it is committed. */
async function watch(one: Watched, deps: Deps, signal: AbortSignal): Promise<void> {
  const { everyMs, timeoutMs, failures, probe: asked } = one.liveness;
  let life: string | undefined;
  let begun = 0;
  let wasReady = false;
  let bad = 0;
  for (;;) {
    await pause(everyMs, signal);
    if (signal.aborted) return;
    try {
      const now = await deps.runtime.inspect(one.id);
      const { state, pid, startedAt } = now;
      if (state !== "running" || pid === undefined || deps.stopped.has(one.id)) {
        bad = 0;
        continue;
      }
      if (startedAt !== life) {
        life = startedAt;
        begun = performance.now();
        wasReady = false;
        bad = 0;
      }
      const why = await probe(deps.runtime, { ...one, probe: asked }, { ms: timeoutMs, signal });
      if (why === undefined) {
        wasReady = true;
        bad = 0;
        continue;
      }
      if (!wasReady && performance.now() - begun < one.startMs) continue;
      bad += 1;
      if (bad < failures) continue;
      bad = 0;
      await restart(one, { pid, ...(startedAt !== undefined && { startedAt }), why }, deps, signal);
    } catch (error) {
      if (!signal.aborted) deps.failed(error);
    }
  }
}

interface Hung {
  readonly pid: number;
  readonly startedAt?: string;
  readonly why: string;
}

/** Stop signal, then SIGKILL after the grace: from outside, so that its supervisor starts it again. */
async function restart(one: Watched, hung: Hung, deps: Deps, signal: AbortSignal): Promise<void> {
  const process = await identify(hung.pid);
  const { pid, startedAt, restarts = 0 } = await deps.runtime.inspect(one.id);
  // An operation may have stopped it meanwhile, or it ended by itself.
  if (process === undefined || pid !== hung.pid || startedAt !== hung.startedAt) return;
  if (signal.aborted || deps.stopped.has(one.id)) return;
  deps.log(one.id, await deps.hangs.add(one.id, hung.why, restarts));
  await signalProcess(process, one.stopSignal);
  if (one.graceMs > 0)
    await waitFor(`the end of ${one.id}`, async () => ((await isAlive(process)) ? undefined : true), {
      ...{ timeoutMs: one.graceMs, intervalMs: 100, signal },
    }).catch(() => undefined);
  // Whoever ended the watch meanwhile ends the instance, or keeps it: then the next question finds it hung.
  if (!signal.aborted) await signalProcess(process, "SIGKILL");
}
