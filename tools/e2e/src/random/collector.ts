import { join } from "node:path";
import { createInterface } from "node:readline";
import { spawnStream } from "@ployz/exec";
import { type Cluster, fixtures } from "../cluster.ts";
import { LEDGER } from "../ledger.ts";

/** A row that was acknowledged. Epoch milliseconds. */
export interface Row {
  readonly n: number;
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** A client outside of the machines: they cannot change its list of acknowledged rows. */
export interface Collector extends AsyncDisposable {
  /** Rows that must be in the ledger. */
  expected(): readonly Row[];
  /** Data of `from` to `until` was replaced on an operator's order: rows of that time may be there or not. */
  forget(from: number, until: number): void;
  /** The longest time without an acknowledged row since the last call, in milliseconds, and what failed meanwhile. */
  outage(): { readonly longestMs: number; readonly failures: Readonly<Record<string, number>> };
}

/** Rows are numbered from `first` on. */
export function collect({ lab }: Cluster, everyMs = 100, first = 1): Collector {
  const child = spawnStream("nsenter", [
    `--net=/run/netns/plab-${lab.name}`,
    process.execPath,
    join(fixtures, "collector.mjs"),
    LEDGER,
    String(everyMs),
    String(first),
    ...lab.addresses,
  ]);
  child.done.catch(() => {});
  let rows: Row[] = [];
  let [last, longestMs] = [Date.now(), 0];
  let failures: Record<string, number> = {};
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [n, status = "", sentAt, answeredAt] = line.split(" ");
    if (status !== "200") {
      failures[status] = (failures[status] ?? 0) + 1;
      return;
    }
    rows.push({ n: Number(n), sentAt: Number(sentAt), answeredAt: Number(answeredAt) });
    longestMs = Math.max(longestMs, Number(answeredAt) - last);
    last = Number(answeredAt);
  });
  return {
    expected: () => rows,
    forget(from, until) {
      rows = rows.filter(({ sentAt, answeredAt }) => answeredAt < from || sentAt > until);
    },
    outage() {
      const seen = { longestMs: Math.max(longestMs, Date.now() - last), failures };
      [longestMs, failures] = [0, {}];
      return seen;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await child.done.catch(() => {});
    },
  };
}
