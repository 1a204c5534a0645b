import { createHash } from "node:crypto";
import { join } from "node:path";
import { checkId } from "../spec.ts";

export interface ProcessLayout {
  /** Survives a reboot. */
  readonly root: string;
  /** Gone after a reboot. */
  readonly runDir: string;
  readonly logDir: string;
}

/** Every path and kernel name of one instance. All are made from the id alone. */
export interface InstancePaths {
  readonly id: string;
  readonly dir: string;
  readonly spec: string;
  /** Exit code, number of starts, back-off: written by the scripts of the service folder. */
  readonly state: string;
  /** Executables in the run folder. */
  readonly scripts: string;
  readonly run: string;
  /** The s6 service folder of the instance. */
  readonly service: string;
  readonly loggers: readonly {
    readonly stream: "stdout" | "stderr";
    readonly service: string;
    readonly fifo: string;
    readonly dir: string;
  }[];
  readonly logs: string;
  /** What becomes the root of an instance without an image. */
  readonly rootfs: string;
  /** Where runc keeps the instance's state, and writes its first process to. */
  readonly runcRoot: string;
  readonly pidFile: string;
  readonly netns: string;
  readonly netnsPath: string;
  /** The machine's end of the veth pair. */
  readonly veth: string;
  /** Names the instance's control groups, and the instance to runc. */
  readonly cgroup: string;
}

export function instancePaths(layout: ProcessLayout, id: string): InstancePaths {
  checkId(id);
  const hash = createHash("sha256").update(id).digest("hex").slice(0, 12);
  const dir = join(layout.root, id);
  const run = join(layout.runDir, id);
  const logs = join(layout.logDir, id);
  const logger = (stream: "stdout" | "stderr") => ({
    stream,
    service: join(run, `log-${stream}`),
    fifo: join(run, `${stream}.fifo`),
    dir: join(logs, stream),
  });
  return {
    id,
    dir,
    spec: join(dir, "spec.json"),
    state: join(dir, "state"),
    scripts: join(dir, "scripts"),
    run,
    service: join(run, "service"),
    loggers: [logger("stdout"), logger("stderr")],
    logs,
    rootfs: join(run, "rootfs"),
    runcRoot: join(run, "runc"),
    pidFile: join(run, "pid"),
    netns: `pz-${hash}`,
    netnsPath: `/run/netns/pz-${hash}`,
    veth: `pz${hash}`,
    cgroup: hash,
  };
}
