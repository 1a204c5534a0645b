import { PassThrough, Writable } from "node:stream";
import { createBackoff, drained, identify, signalProcess } from "@ployz/exec";
import type { Commit, InstanceAsk } from "@ployz/primitives/protocol";
import type { Attached, InstanceSpec } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import { askLook } from "../host/follower-client.ts";
import { committedStart } from "../participant/adopt.ts";
import { type InstanceDeps, instanceSpec } from "../participant/instances.ts";
import { endedBy, withPause } from "../participant/interactive.ts";
import { type RunRecord, readRuns, removeRun, writeRun } from "../state/runs.ts";
import { refuseSingleWriter } from "../streams/single-writer.ts";
import { ended } from "./ended.ts";

export type RunAsk = Extract<InstanceAsk, { kind: "run" }>;
export type RunRow = RunRecord & { readonly state: "running" | "ended"; readonly exitCode?: number };

const FOLLOW_MS = 10_000;

export interface RunDeps {
  readonly instances: Pick<
    InstanceDeps,
    "runtime" | "reservations" | "secrets" | "files" | "bundles" | "volumes" | "address" | "endedLogs"
  >;
  readonly dir: string;
  /** Where the program is that waits in interactive runs. */
  readonly pause: string;
  readonly dnsSocket: string;
  heads(): readonly Commit[];
  now(): Date;
  log(error: unknown): void;
}

export interface Runs {
  /**
   * Starts a one-off instance. An interactive one is removed when its program ends or is killed, another one at its end; one to keep is
   * stopped instead.
   */
  start(ask: RunAsk): Promise<Attached>;
  list(): Promise<readonly RunRow[]>;
  /** Stops and removes it. False: there is none here. */
  stop(id: string): Promise<boolean>;
  /** After a restart of the daemon: waits for the ends of those that run, and removes the others, unless they are kept. */
  resume(): Promise<void>;
}

/** One-off instances of services on this machine. They need no store; packet filter and DNS take them as their service. */
export function openRuns(deps: RunDeps): Runs {
  const { runtime, reservations, secrets, files, volumes, endedLogs } = deps.instances;
  const ending = new Map<string, Promise<void>>();

  async function remove(id: string): Promise<void> {
    await endedLogs.keep(id).catch(deps.log);
    await runtime.remove(id);
    await reservations.release(id);
    await secrets.forget(id);
    await files.remove(id);
    await removeRun(deps.dir, id);
    await askLook(deps.dnsSocket, AbortSignal.timeout(FOLLOW_MS)).catch(deps.log);
  }
  const find = async (id: string) => (await readRuns(deps.dir)).find((record) => record.id === id);
  async function removeOrKeep(id: string): Promise<void> {
    const record = await find(id);
    if (record === undefined) return; // its program's end and the order to stop it came one after the other
    if (record.keep === true) await runtime.stop(id);
    else await remove(id);
  }
  /** Once, however many ask. */
  function end(id: string): Promise<void> {
    const present = ending.get(id);
    if (present !== undefined) return present;
    const work = removeOrKeep(id).finally(() => ending.delete(id));
    ending.set(id, work);
    return work;
  }
  /** An engine that does not answer, since it starts again, has ended no run. */
  async function untilEnded(id: string): Promise<{ readonly exitCode: number }> {
    const backoff = createBackoff(500, 30_000);
    for (;;) {
      try {
        return await runtime.wait(id, new AbortController().signal);
      } catch (error) {
        deps.log(error);
        const found = await runtime.inspect(id).catch(() => undefined);
        if (found?.state === "created" || found?.state === "absent") throw error;
        await backoff.pause();
      }
    }
  }
  const endQuietly = (id: string) => void end(id).catch(deps.log);

  async function specOf(ask: RunAsk, address: string): Promise<InstanceSpec> {
    const commit = deps.heads().find(({ instances }) => instances.some(({ id }) => id === ask.id));
    const instance = commit?.instances.find(({ id }) => id === ask.id);
    const start = commit && instance && committedStart(commit, instance);
    if (commit === undefined || instance === undefined || start === undefined)
      throw new PloyzError({
        code: "no_such_instance",
        message: `this machine does not know ${ask.id}`,
        hint: "run the command again",
      });
    refuseSingleWriter(commit, instance.service);
    const { secrets: refs } = instance;
    if (refs !== undefined) await secrets.keep(ask.run, refs, await secrets.values(instance.id, refs));
    const spec = await instanceSpec({ ...start, id: ask.run, kind: "job", address }, deps.instances);
    // Without `operation`: no operation owns it, and none removes it.
    const { operation: _, ...labels } = spec.labels;
    const own = {
      ...spec,
      labels: { ...labels, kind: "run" },
      hostname: `${instance.service}-run`.slice(-63),
    };
    if (isInteractive(ask)) return withPause(own, runtime, deps.pause);
    return ask.argv === undefined ? own : { ...own, entrypoint: ask.argv, command: [] };
  }

  async function begin(ask: RunAsk): Promise<void> {
    const [namespace = "", service = ""] = ask.run.split(".");
    const address = await reservations.reserve(ask.run);
    try {
      const spec = await specOf(ask, address);
      await writeRun(deps.dir, {
        ...{ id: ask.run, namespace, service, address, interactive: isInteractive(ask), by: ask.by },
        ...(ask.argv !== undefined && ask.private !== true && { argv: ask.argv }),
        ...(ask.keep === true && { keep: true }),
        at: deps.now().toISOString(),
      });
      await askLook(deps.dnsSocket, AbortSignal.timeout(FOLLOW_MS));
      const uses = (spec.labels.volumes ?? "") === "" ? {} : { volumes: startVolumes(spec) };
      await volumes.use({ id: ask.run, ...uses }, async () => {
        await runtime.create(spec);
        await runtime.start(ask.run);
      });
    } catch (error) {
      await remove(ask.run).catch(deps.log);
      throw error;
    }
  }

  function interactive({ terminal, term = "xterm", argv = [], run }: RunAsk): Promise<Attached> {
    const options = terminal === undefined ? {} : { terminal, env: { TERM: term } };
    return endedBy(
      () => runtime.attach(run, argv, options),
      () => end(run).catch(deps.log),
    );
  }

  /** Its output, and its end. The connection's end is not its end, unless the caller asked for that. */
  function watched({ run, rm }: RunAsk): Attached {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const stop = new AbortController();
    let last = "";
    const copy = async (follow: boolean) => {
      const since = last === "" ? {} : { sinceMs: Date.parse(last) - 1 };
      const options = follow ? { follow, signal: stop.signal } : since;
      for await (const { time, stream, line } of runtime.logs(run, options)) {
        if (time <= last) continue;
        last = time;
        const to = stream === "stderr" ? stderr : stdout;
        if (!to.destroyed && !to.write(`${line}\n`)) await drained(to);
      }
    };
    const following = copy(true).catch(deps.log);
    const finish = async () => {
      const { exitCode } = await untilEnded(run);
      stop.abort();
      await following;
      await copy(false).catch(deps.log);
      stdout.end();
      stderr.end();
      return { exitCode };
    };
    const done = finish();
    void done.then(
      () => endQuietly(run),
      (error: unknown) => {
        deps.log(error);
        endQuietly(run);
      },
    );
    const send = async (name: NodeJS.Signals) => {
      const { pid } = await runtime.inspect(run);
      const identity = pid === undefined ? undefined : await identify(pid);
      if (identity !== undefined) await signalProcess(identity, name);
    };
    const stdin = new Writable({ write: (_chunk, _encoding, written) => written() });
    return {
      ...{ stdin, stdout, stderr, pid: undefined, done, resize: async () => {}, signal: send },
      async kill() {
        stop.abort();
        stdout.destroy();
        stderr.destroy();
        if (rm === true) endQuietly(run);
      },
    };
  }

  function supervise(id: string): void {
    void untilEnded(id)
      .catch(deps.log)
      .then(() => endQuietly(id));
  }

  return {
    async start(ask) {
      await begin(ask);
      if (isInteractive(ask)) return interactive(ask);
      if (ask.detach !== true) return watched(ask);
      supervise(ask.run);
      return ended();
    },
    async list() {
      const records = await readRuns(deps.dir);
      return Promise.all(
        records.map(async (record) => {
          const { state, exitCode } = await runtime.inspect(record.id);
          if (state === "running") return { ...record, state };
          const kept = record.keep === true && record.interactive === false;
          return { ...record, state: "ended" as const, ...(kept && exitCode !== undefined && { exitCode }) };
        }),
      );
    },
    async stop(id) {
      const found = await find(id);
      if (found === undefined) return false;
      const { keep, ...record } = found;
      if (keep === true) await writeRun(deps.dir, record);
      await runtime.stop(id);
      await ending.get(id);
      if ((await find(id)) !== undefined) await end(id);
      return true;
    },
    async resume() {
      const records = await readRuns(deps.dir);
      for (const { id, interactive: attached } of records) {
        // One that cannot be looked at now may be running.
        const state = await runtime.inspect(id).then(
          (found) => found.state,
          (error: unknown) => {
            deps.log(error);
            return "running";
          },
        );
        if (state === "running" && !attached) supervise(id);
        else endQuietly(id);
      }
      // A daemon that was killed between an address and its record.
      const known = new Set(records.map(({ id }) => id));
      for (const id of Object.keys(reservations.all()))
        if (isRun(id) && !known.has(id)) void remove(id).catch(deps.log);
    },
  };
}

/** `NAMESPACE.SERVICE.run.…`; other instances have their number there. */
const isRun = (id: string): boolean => id.split(".")[2] === "run";

const isInteractive = ({ interactive, terminal }: RunAsk): boolean =>
  interactive === true || terminal !== undefined;

const startVolumes = ({ labels }: InstanceSpec) =>
  (labels.volumes ?? "")
    .split(",")
    .map((entry) => ({ id: entry.split("=")[0] ?? "", scope: "shared" as const }));
