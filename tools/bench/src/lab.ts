import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type RunOptions, type RunResult, run } from "@ployz/exec";

/** One simulated machine with Ployz installed. */
export interface BenchLab {
  sh(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Runs a bundled worker on the machine, with the payload's Node. */
  worker<T>(name: "wall-time" | "raw-deploy", args: object): Promise<T>;
  /** A cluster of this machine alone. */
  startCluster(runtime?: "host" | "docker"): Promise<void>;
}

const fromRoot = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const NODE = "/usr/local/lib/ployz/current/lib/node";

/** Makes the machine, and takes it away again whatever happens. */
export async function withLab<T>(
  options: { readonly docker: boolean; progress(text: string): void },
  use: (lab: BenchLab) => Promise<T>,
): Promise<T> {
  const lab = fromRoot("tools/lab/lab");
  const named = ["--name", "bench"];
  options.progress("building the payload");
  const payload = (
    await run(fromRoot("tools/release/build-payload"), [], { timeoutMs: 300_000 })
  ).stdout.trim();
  options.progress("starting a machine");
  await run(lab, ["up", "1", ...named, "--payload", payload, ...(options.docker ? ["--docker"] : [])], {
    timeoutMs: 600_000,
  });
  const sh: BenchLab["sh"] = (argv, more) =>
    run(lab, ["sh", "1", ...named, "--", ...argv], { timeoutMs: 120_000, ...more });
  try {
    return await use({
      sh,
      async worker(name, args) {
        const script = await readFile(new URL(`./${name}-worker.js`, import.meta.url));
        const onMachine = `/root/bench-${name}.mjs`;
        await sh(["sh", "-c", 'cat > "$0"', onMachine], { input: script });
        const { stdout } = await sh(["env", `BENCH_ARGS=${JSON.stringify(args)}`, NODE, onMachine]);
        return JSON.parse(stdout);
      },
      async startCluster(runtime = "host") {
        await sh(["ployzctl", "daemon", "install", "--runtime", runtime]);
        await sh(["ployzctl", "mesh", "init", "bench"]);
      },
    });
  } finally {
    options.progress("removing the machine");
    await run(lab, ["down", ...named], { timeoutMs: 120_000 });
  }
}
