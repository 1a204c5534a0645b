import { type BenchLab, withLab } from "../lab.ts";
import { compare, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";

const SSH = [
  "ssh",
  ...["-o", "ControlMaster=auto", "-o", "ControlPath=/root/bench-%C", "-o", "ControlPersist=600"],
];

/** Wall time of a command over a context, against nothing at all over the same kind of connection. */
export const contextSuite: Suite = ({ rounds, progress }) =>
  withLab({ docker: false, progress }, async (lab) => {
    await lab.startCluster();
    await lab.sh(["sh", "-c", LAPTOP]);
    await lab.sh(["ployzctl", "context", "add", "here", "ssh://root@127.0.0.1"]);
    return [
      await compare({
        title: "A context: wall time of one command, warm",
        variants: [
          timed(lab, "ssh true", [...SSH, "root@127.0.0.1", "true"]),
          timed(lab, "ployzctl status, on the machine", ["ployzctl", "status"]),
          timed(lab, "ployzctl status, over the context", ["ployzctl", "--context", "here", "status"]),
        ],
        metrics: [{ name: "time", unit: "ms", better: "lower" }],
        baseline: "ssh true",
        rounds,
        notes: [
          "Median of 5 runs per round. Each has one ssh connection that stays open; the machine is its own laptop, so that a round trip takes next to nothing.",
        ],
        progress,
      }),
    ];
  });

const LAPTOP = `mkdir -p -m 700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/bench
cat /root/.ssh/bench.pub >>/root/.ssh/authorized_keys && chmod 600 /root/.ssh/authorized_keys
printf 'Host 127.0.0.1\\n  IdentityFile /root/.ssh/bench\\n  StrictHostKeyChecking accept-new\\n' >>/root/.ssh/config`;

const timed = (lab: BenchLab, name: string, argv: readonly string[]): Variant => ({
  name,
  sample: async () => ({ time: (await lab.worker<{ ms: number }>("wall-time", { argv, count: 5 })).ms }),
});
