import { setTimeout as delay } from "node:timers/promises";
import { type BenchLab, withLab } from "../lab.ts";
import { compare, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";

const NODE = "/usr/local/lib/ployz/current/lib/node";
const BASELINE = "node that does nothing";
const PID_FILE = "/run/bench-node.pid";
const IDLE_NODE = `setsid ${NODE} -e 'setTimeout(() => {}, 3600000)' >/dev/null 2>&1 </dev/null & echo $! >${PID_FILE}`;
const SETTLE_MS = 20_000;

/** Resident memory of the services of an idle machine that is a cluster of its own, against an idle Node process. */
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
    const ours = services.flatMap(({ name, pid }) => (pid === undefined ? [] : [resident(lab, name, pid)]));
    return [
      await compare({
        title: "Memory of an idle machine (resident)",
        variants: [resident(lab, BASELINE, idle), ...ours],
        metrics: [{ name: "memory", unit: "MB", better: "lower" }],
        baseline: BASELINE,
        rounds,
        notes: ["Pages shared by Node processes count in each of them."],
        progress,
      }),
    ];
  });

/** VmRSS of one process of the machine (proc(5)). */
const resident = (lab: BenchLab, name: string, pid: number): Variant => ({
  name,
  async sample() {
    await delay(1_000);
    const { stdout } = await lab.sh(["grep", "VmRSS", `/proc/${pid}/status`]);
    return { memory: Number(/\d+/.exec(stdout)?.[0]) / 1000 };
  },
});
