import { setTimeout as delay } from "node:timers/promises";
import { type BenchLab, withLab } from "../lab.ts";
import { compare, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";

const NODE = "/usr/local/lib/ployz/current/lib/node";
const SETTLE_MS = 20_000;

/** Resident memory of the processes of an idle machine that is a cluster of its own, against a Node that does nothing. */
export const memorySuite: Suite = ({ rounds, progress }) =>
  withLab({ docker: false, progress }, async (lab) => {
    await lab.startCluster();
    await lab.sh([
      "sh",
      "-c",
      `setsid ${NODE} -e 'setTimeout(() => {}, 3600000)' >/dev/null 2>&1 </dev/null &`,
    ]);
    await delay(SETTLE_MS); // idle is what is measured
    return [
      await compare({
        title: "Memory of an idle machine (resident)",
        variants: [
          resident(lab, "node that does nothing", "node -e setTimeout"),
          resident(lab, "ployzd run", "ployzd.mjs run"),
          resident(lab, "ployzd gateway", "ployzd.mjs gateway"),
          resident(lab, "ployzd dns", "ployzd.mjs dns"),
          resident(lab, "nats-server", "nats-server -c"),
        ],
        metrics: [{ name: "memory", unit: "MB", better: "lower" }],
        baseline: "node that does nothing",
        rounds,
        notes: ["Pages shared between the Node processes are counted in each."],
        progress,
      }),
    ];
  });

/** VmRSS of the one process whose command line holds `part`. */
function resident(lab: BenchLab, name: string, part: string): Variant {
  const script = `for p in /proc/[0-9]*; do
  if tr '\\0' ' ' <$p/cmdline 2>/dev/null | sed 's,[^ ]*/,,g' | grep -q "^${part}"; then awk '/VmRSS/ { print $2 }' $p/status; fi
done`;
  return {
    name,
    async sample() {
      await delay(1_000);
      const { stdout } = await lab.sh(["sh", "-c", script]);
      const kb = Math.max(0, ...stdout.trim().split("\n").map(Number));
      if (!(kb > 0)) throw new Error(`no process ${name} on the machine`);
      return { memory: kb / 1000 };
    },
  };
}
