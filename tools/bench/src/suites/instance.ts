import { type BenchLab, withLab } from "../lab.ts";
import { compare, type Variant } from "../measure.ts";
import type { Suite } from "../suite.ts";

const BASELINE = "a supervised program (s6-supervise), no isolation";
/** Instances at once in each round. */
const COUNT = 5;
const CONTENT = `set -e
mkdir -p /srv/bench/www /srv/bench/root/bin /srv/bench/root/www
echo ok >/srv/bench/www/index.html; cp /srv/bench/www/index.html /srv/bench/root/www/
cp "$(command -v busybox)" /srv/bench/root/bin/
tar -C /srv/bench/root -c . | docker import - bench:1`;

/** One small web server (busybox), started in four ways: until it answers, and the memory of all its processes. */
export const instanceSuite: Suite = ({ rounds, progress }) =>
  withLab({ docker: true, progress }, async (lab) => {
    await lab.sh(["sh", "-c", CONTENT]);
    return [
      await compare({
        title: "Start and memory of an instance",
        variants: [
          way(lab, BASELINE, "s6"),
          way(lab, "Ployz, process runtime (s6, runc)", "process"),
          way(lab, "`runc run`, without a supervisor and a network of its own", "runc"),
          way(lab, "`docker run`", "docker"),
        ],
        metrics: [
          { name: "start until it answers", unit: "ms", better: "lower" },
          { name: "memory (PSS)", unit: "MB", better: "lower" },
        ],
        baseline: BASELINE,
        rounds,
        notes: [
          `Per instance, of ${COUNT} at once. Memory is that of the program with its supervisors, loggers or shim; dockerd and containerd, which all containers share, are not in it.`,
        ],
        progress,
      }),
    ];
  });

const way = (lab: BenchLab, name: string, kind: string): Variant => ({
  name,
  async sample() {
    const { start, memory } = await lab.worker<{ start: number; memory: number }>("instance", {
      kind,
      count: COUNT,
    });
    return { "start until it answers": start, "memory (PSS)": memory };
  },
});
