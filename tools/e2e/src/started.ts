import { createInterface } from "node:readline";
import { type RunResult, spawnStream } from "@ployz/exec";
import type { OperationEvent } from "@ployz/primitives/protocol";
import { type Cluster, confirmed } from "./cluster.ts";

/** A `ployzctl` that runs on a machine with `--json --events`, and its output so far. */
export interface Started {
  /** The id of its operation, as soon as that is accepted. */
  readonly operation: Promise<string>;
  readonly events: readonly Said[];
  /** Resolves with the first event, past or to come, that `wanted` accepts; fails when the command ends without one. */
  event(wanted: (event: Said) => boolean): Promise<Said>;
  /** Calls back on every event, the moment that it is read. */
  on(listener: (event: Said, index: number) => void): void;
  /** Sends a signal to the command inside the machine. */
  signal(signal: "SIGINT" | "SIGKILL"): Promise<void>;
  readonly done: Promise<RunResult>;
}

/** An event with the fields of all kinds; `of` names the target where several operations run. */
export type Said = { readonly type: string; readonly of?: string } & Partial<
  Record<"step" | "state" | "operation" | "what" | "title" | "machine" | "note", string>
>;

export async function started({ lab }: Cluster, machine: number, args: readonly string[]): Promise<Started> {
  const info = await lab.info();
  const enter = info.machines[machine - 1]?.enter ?? [];
  const [program = "", ...rest] = enter;
  const script = 'echo $$ >&2; exec ployzctl "$@"';
  const child = spawnStream(
    program,
    [...rest, "sh", "-c", script, "sh", ...confirmed(args), "--json", "--events"],
    {
      okExitCodes: Array.from({ length: 256 }, (_, code) => code),
    },
  );
  child.stdin.end();
  const events: Said[] = [];
  const listeners = new Set<(event: Said, index: number) => void>();
  let [stdout, pid] = ["", ""];
  let gotPid = () => {};
  const hasPid = new Promise<void>((resolve) => {
    gotPid = resolve;
  });
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (pid === "") {
      pid = line;
      return gotPid();
    }
    if (!line.startsWith("{")) return;
    const event = JSON.parse(line) as OperationEvent as unknown as Said;
    events.push(event);
    for (const listener of listeners) listener(event, events.length - 1);
  });
  const done = child.done.then(({ stderr, exitCode }) => ({ stdout, stderr, exitCode }));
  done.catch(() => {});

  const event: Started["event"] = (wanted) =>
    new Promise((resolve, reject) => {
      const past = events.find(wanted);
      if (past !== undefined) return resolve(past);
      const listener = (next: Said) => {
        if (!wanted(next)) return;
        listeners.delete(listener);
        resolve(next);
      };
      listeners.add(listener);
      const missed = () =>
        reject(new Error(`it ended without the event: ${stdout} ${JSON.stringify(events)}`));
      done.then(missed, missed);
    });
  const operation = event(({ type }) => type === "accepted").then((accepted) => accepted.operation ?? "");
  operation.catch(() => {});
  return {
    operation,
    events,
    event,
    on: (listener) => void listeners.add(listener),
    async signal(signal) {
      await hasPid;
      await lab.sh(machine, ["kill", `-${signal.slice(3)}`, pid], { okExitCodes: [0, 1] });
    },
    done,
  };
}
