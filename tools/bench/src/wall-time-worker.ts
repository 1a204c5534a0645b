import { spawnSync } from "node:child_process";

// Runs inside a lab machine: measures a command's duration there, without the time to enter the machine.
const {
  argv,
  count,
  warm = true,
} = JSON.parse(process.env.BENCH_ARGS ?? "{}") as {
  argv: [string, ...string[]];
  count: number;
  warm?: boolean;
};
const [program, ...args] = argv;
const times: number[] = [];
let stdout = "";
for (let index = warm ? -1 : 0; index < count; index++) {
  const start = performance.now();
  const result = spawnSync(program, args, { encoding: "utf8" });
  const ms = performance.now() - start;
  if (result.status !== 0) {
    console.error(`${argv.join(" ")} ended with ${result.status}: ${result.stderr}${result.stdout}`);
    process.exit(1);
  }
  stdout = result.stdout;
  if (index >= 0) times.push(ms);
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({ ms: times[Math.floor(times.length / 2)], stdout }));
