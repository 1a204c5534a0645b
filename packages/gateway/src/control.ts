import { connect } from "node:net";
import { PloyzError } from "./error-codes.ts";

/**
 * HAProxy's master command line (management guide, 9.4): one command per connection, on a Unix socket that only root
 * can open. `@!PID` in front of a command sends it to that worker, the current one or one that a reload left behind.
 */
export interface Control {
  /** Fails with `haproxy_unreachable` when no process listens. */
  ask(command: string, payload?: string): Promise<string>;
}

export const openControl = (socketPath: string, timeoutMs = 5000): Control => ({
  ask: (command, payload) => ask(socketPath, timeoutMs, command, payload),
});

/** Sends to one worker. A worker's name for the control commands. */
export const onWorker = (pid: number, command: string): string => `@!${pid} ${command}`;

function ask(socketPath: string, timeoutMs: number, command: string, payload?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(socketPath);
    const fail = (why: string, cause?: unknown): void => {
      socket.destroy();
      const message = `HAProxy's control socket ${socketPath} ${why}`;
      const hint = "check that HAProxy runs; its service log gives the reason";
      reject(new PloyzError({ code: "haproxy_unreachable", message, hint }, { cause }));
    };
    socket.setTimeout(timeoutMs, () => fail(`did not answer within ${timeoutMs} ms`));
    socket.on("error", (error) => fail(`cannot be used: ${error.message}`, error));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
    // A blank line ends a payload; the master closes only after we have.
    socket.end(payload === undefined ? `${command}\n` : `${command} <<\n${payload}\n`);
  });
}

export interface Processes {
  readonly master: number;
  readonly reloads: number;
  readonly failedReloads: number;
  readonly workers: readonly number[];
  /** Replaced by reloads; they finish their connections. */
  readonly oldWorkers: readonly number[];
}

/** `show proc` of the master. */
export function parseProcesses(text: string): Processes | undefined {
  let place = "master";
  let master: { pid: number; reloads: number; failed: number } | undefined;
  const workers: number[] = [];
  const oldWorkers: number[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("# ")) place = line.slice(2).trim();
    const row = /^(\d+)\s+(master|worker)\s+(\d+)(?:\s+\[failed: (\d+)\])?/.exec(line);
    if (!row) continue;
    const [, pid, type, reloads, failed] = row;
    if (type === "master")
      master = { pid: Number(pid), reloads: Number(reloads), failed: Number(failed ?? 0) };
    else if (place === "workers") workers.push(Number(pid));
    else if (place === "old workers") oldWorkers.push(Number(pid));
  }
  if (!master) return undefined;
  return { master: master.pid, reloads: master.reloads, failedReloads: master.failed, workers, oldWorkers };
}

export interface Slot {
  readonly backend: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly admin: "ready" | "drain" | "maint";
  readonly weight: number;
  readonly up: boolean;
  /** Requests, or connections of a TCP route, that are being served. */
  readonly sessions: number;
  /** Requests that wait for this server. */
  readonly waiting: number;
}

/** Joins `show servers state` (the requested state of each server) with `show stat -1 4 -1` (its actual state). */
export function parseSlots(state: string, stat: string): readonly Slot[] {
  const sessions = counts(stat, "scur");
  const waiting = counts(stat, "qcur");
  return state
    .split("\n")
    .filter((line) => /^\d+ /.test(line))
    .map((line) => {
      const field = line.split(" ");
      const backend = field[1] ?? "";
      const name = field[3] ?? "";
      // Bits of the admin state: 1 maintenance, 2 inherited, 4 by configuration (informative), 8 drain, 16 inherited, 32 no address.
      const bits = Number(field[6]);
      return {
        backend,
        name,
        address: field[4] ?? "",
        port: Number(field[18]),
        admin: (bits & 35) !== 0 ? "maint" : (bits & 24) !== 0 ? "drain" : "ready",
        weight: Number(field[7]),
        up: Number(field[5]) !== 0,
        sessions: sessions.get(`${backend} ${name}`) ?? 0,
        waiting: waiting.get(`${backend} ${name}`) ?? 0,
      };
    });
}

function counts(stat: string, name: "scur" | "qcur"): ReadonlyMap<string, number> {
  const [head, ...rows] = stat.split("\n");
  const column = (head ?? "").replace(/^# /, "").split(",").indexOf(name);
  const found = new Map<string, number>();
  for (const row of rows) {
    const field = row.split(",");
    if (field.length > column) found.set(`${field[0]} ${field[1]}`, Number(field[column]));
  }
  return found;
}
