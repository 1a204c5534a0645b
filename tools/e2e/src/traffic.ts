import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Lab, LoadReport } from "@ployz/lab";
import { expect } from "vitest";
import { fixtures, node } from "./cluster.ts";

/** The results of one kind of client. */
export interface Seen {
  readonly client: string;
  readonly sent: number;
  readonly ok: number;
  readonly failures: readonly unknown[];
  readonly longestGapMs?: number;
  readonly p99Ms?: number | null;
}

/** Disposing also stops it, whatever the test's outcome. */
export interface Traffic extends AsyncDisposable {
  /** Stops it and resolves with each client's results. */
  end(): Promise<readonly Seen[]>;
}

const SECONDS = 240;
/** A typical client time-out. Only an overloaded host comes near it; gap and p99 measure the outage. */
const PATIENCE_MS = 30_000;

/** 200 requests a second through the gateway of one machine (default m1): new connections, kept ones, and slow requests on both. */
export function gatewayTraffic(lab: Lab, host: string, machine = 1): Traffic {
  const stop = new AbortController();
  const url = `http://${lab.addresses[machine - 1]}/`;
  const kinds = {
    "new connections": { path: "", rate: 100, keepAlive: false },
    "kept connections": { path: "", rate: 70, keepAlive: true },
    "slow, new": { path: "?ms=300", rate: 15, keepAlive: false },
    "slow, kept": { path: "?ms=300", rate: 15, keepAlive: true },
  };
  const running = Object.entries(kinds).map(async ([client, { path, ...options }]) => {
    const report = await lab.load(`${url}${path}`, {
      ...options,
      host,
      seconds: SECONDS,
      timeoutMs: PATIENCE_MS,
      until: stop.signal,
    });
    return seen(client, report);
  });
  return traffic(Promise.all(running), async () => stop.abort());
}

function traffic(running: Promise<readonly Seen[]>, stop: () => Promise<void>): Traffic {
  running.catch(() => {}); // reported to the caller of its end
  const end = async () => {
    await stop();
    return running;
  };
  return { end, [Symbol.asyncDispose]: async () => void (await end().catch(() => {})) };
}

function seen(client: string, { sent, ok, failures, longestGapMs, p99Ms }: LoadReport): Seen {
  return { client, sent, ok, failures: failures.slice(0, 10), longestGapMs, p99Ms };
}

/** 20 requests a second from machine `i` straight to instances, by addresses resolved up to a TTL ago. */
export async function directTraffic(lab: Lab, i: number, name: string, port: number): Promise<Traffic> {
  const script = "/root/stale-client.mjs";
  await install(lab, i, "stale-client.mjs", script);
  const done = `/run/stale-client.${name}.done`;
  await lab.sh(i, ["rm", "-f", done]);
  // Its stdin ends when the file appears.
  const argv = [
    "sh",
    "-c",
    'until [ -e "$1" ]; do sleep 0.1; done | "$2" "$3" "$4" "$5" "$6" 20',
    "sh",
  ] as const;
  const running = lab.sh(i, [...argv, done, node, script, `10.101.${i}.1`, name, String(port)], {
    timeoutMs: SECONDS * 1000,
  });
  const report = running.then(({ stdout }) => {
    const { sent, ok, failures } = JSON.parse(stdout) as Seen;
    return [{ client: `by name from m${i}`, sent, ok, failures }];
  });
  return traffic(report, async () => void (await lab.sh(i, ["touch", done])));
}

export async function install(lab: Lab, i: number, fixture: string, path: string): Promise<void> {
  const text = await readFile(join(fixtures, fixture), "utf8");
  await lab.sh(i, ["sh", "-c", 'cat > "$1"', "sh", path], { input: text });
}

/** Prints the measurements, and fails with the first failures, if any. */
export async function nothingLost(what: string, traffic: Traffic): Promise<void> {
  const all = await traffic.end();
  for (const { client, sent, ok, longestGapMs, p99Ms } of all) {
    const times = longestGapMs === undefined ? "" : `, longest gap ${longestGapMs} ms, p99 ${p99Ms} ms`;
    console.log(`${what}: ${client}: ${ok} of ${sent} answered${times}`);
  }
  expect(all.filter(({ failures }) => failures.length > 0)).toEqual([]);
  for (const { sent, ok, client } of all) expect([client, ok]).toEqual([client, sent]);
}
