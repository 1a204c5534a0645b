import { type BenchLab, withLab } from "../lab.ts";
import type { Variant } from "../measure.ts";
import { compare } from "../measure.ts";
import type { Suite } from "../suite.ts";

const NODE = "/usr/local/lib/ployz/current/lib/node";

/** Wall time of whole commands on a machine with a running cluster, against starting Node at all. */
export const cliSuite: Suite = ({ rounds, progress }) =>
  withLab({ docker: true, progress }, async (lab) => {
    await lab.startCluster();
    const docker = await lab.sh(["docker", "version"]).then(
      () => true,
      () => false,
    );
    return [
      await compare({
        title: "Command line: wall time of one command, warm",
        variants: [
          timed(lab, "node -e 0", [NODE, "-e", "0"]),
          timed(lab, "ployzctl --version", ["ployzctl", "--version"]),
          timed(lab, "ployzctl status", ["ployzctl", "status"]),
          ...(docker ? [timed(lab, "docker version", ["docker", "version"])] : []),
        ],
        metrics: [{ name: "time", unit: "ms", better: "lower" }],
        baseline: "node -e 0",
        rounds,
        missing: docker ? [] : ["docker version: Docker does not run in the lab"],
        notes: ["Median of 5 runs per round. `status` and `docker version` ask their daemons."],
        progress,
      }),
    ];
  });

const timed = (lab: BenchLab, name: string, argv: readonly string[]): Variant => ({
  name,
  sample: async () => ({ time: (await lab.worker<{ ms: number }>("wall-time", { argv, count: 5 })).ms }),
});
