import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type RunOptions, type RunResult, run, spawnStream } from "@ployz/exec";

/** Simulated machines, the first with Ployz installed. */
export interface BenchLab {
  /** On the first. */
  sh(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  on(machine: number, argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** 100 requests a second to a host through the gateway of the first, for two minutes at most. */
  load(host: string): Load;
  /** Runs a bundled worker on the machine, with the payload's Node. */
  worker<T>(name: "wall-time" | "raw-deploy" | "instance", args: object): Promise<T>;
  /** A cluster of this machine alone. */
  startCluster(runtime?: "host" | "docker"): Promise<void>;
}

export interface Load {
  /** Resolves with the longest time without an answer, in milliseconds. */
  end(): Promise<number>;
}

const fromRoot = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const NODE = "/usr/local/lib/ployz/current/lib/node";

/** Creates the machines, and always removes them. */
export async function withLab<T>(
  options: { readonly docker: boolean; readonly machines?: number; progress(text: string): void },
  use: (lab: BenchLab) => Promise<T>,
): Promise<T> {
  const lab = fromRoot("tools/lab/lab");
  const named = ["--name", "bench"];
  options.progress("building the payload");
  const payload = (
    await run(fromRoot("tools/release/build-payload"), [], { timeoutMs: 300_000 })
  ).stdout.trim();
  options.progress("starting the machines");
  const count = String(options.machines ?? 1);
  await run(lab, ["up", count, ...named, "--payload", payload, ...(options.docker ? ["--docker"] : [])], {
    timeoutMs: 600_000,
  });
  const on: BenchLab["on"] = (machine, argv, more) =>
    run(lab, ["sh", String(machine), ...named, "--", ...argv], { timeoutMs: 120_000, ...more });
  const sh: BenchLab["sh"] = (argv, more) => on(1, argv, more);
  try {
    return await use({
      on,
      sh,
      load(host) {
        const rate = ["--rate", "100", "--seconds", "120", "--timeout-ms", "60000"];
        const child = spawnStream(lab, [
          "load",
          "http://127.0.0.1/",
          ...named,
          "--from",
          "1",
          "--host",
          host,
          ...rate,
          "--json",
        ]);
        child.stdin.end();
        const report = text(child.stdout);
        return {
          async end() {
            child.kill("SIGINT");
            await child.done;
            return (JSON.parse(await report) as { longestGapMs: number }).longestGapMs;
          },
        };
      },
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
    options.progress("removing the machines");
    await run(lab, ["down", ...named], { timeoutMs: 120_000 });
  }
}
