import { setTimeout as delay } from "node:timers/promises";
import { type BenchLab, withLab } from "../lab.ts";
import { compare, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";

const NODE = "/usr/local/lib/ployz/current/lib/node";
const BASELINE = "node that does nothing";
const PID_FILE = "/run/bench-node.pid";
const IDLE_NODE = `setsid ${NODE} -e 'setTimeout(() => {}, 3600000)' >/dev/null 2>&1 </dev/null & echo $! >${PID_FILE}`;
const SETTLE_MS = 20_000;

/** Memory of the services of an idle machine that is a cluster of its own, one by one and together, against an idle Node process. */
export const memorySuite: Suite = ({ rounds, progress }) =>
  withLab({ docker: false, progress }, async (lab) => {
    await lab.startCluster();
    await lab.sh(["sh", "-c", IDLE_NODE]);
    await delay(SETTLE_MS); // measure the idle state
    const idle = Number((await lab.sh(["cat", PID_FILE])).stdout);
    const { stdout } = await lab.sh(["ployzctl", "daemon", "status", "--json"]);
    const { services } = JSON.parse(stdout) as {
      services: readonly { readonly name: string; readonly pid?: number }[];
    };
    const ours = services.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));
    return [
      await compare({
        title: "Memory of an idle machine",
        variants: [
          memoryOf(lab, BASELINE, [idle]),
          ...ours.map(({ name, pid }) => memoryOf(lab, name, [pid])),
          memoryOf(
            lab,
            "all of these",
            ours.map(({ pid }) => pid),
          ),
        ],
        metrics: [
          { name: "resident", unit: "MB", better: "lower" },
          { name: "proportional", unit: "MB", better: "lower" },
        ],
        baseline: BASELINE,
        rounds,
        notes: ["Resident: pages that processes share count in each. Proportional: they are divided (PSS)."],
        progress,
      }),
    ];
  });

/** Of the processes of these services with their children, without the supervisors (proc(5), `smaps_rollup`). */
const memoryOf = (lab: BenchLab, name: string, pids: readonly number[]): Variant => ({
  name,
  async sample() {
    await delay(1_000);
    const { stdout } = await lab.sh(["sh", "-c", WITH_CHILDREN, "sh", ...pids.map(String)]);
    const sum = (field: string): number =>
      [...stdout.matchAll(new RegExp(`^${field}:\\s*(\\d+) kB`, "gm"))].reduce(
        (total, [, kilobytes]) => total + Number(kilobytes) / 1000,
        0,
      );
    return { resident: sum("Rss"), proportional: sum("Pss") };
  },
});

/** HAProxy's master has its worker as a child. */
const WITH_CHILDREN =
  'for pid in "$@" $(for pid in "$@"; do cat /proc/$pid/task/*/children; done); do cat /proc/$pid/smaps_rollup; done';
