import { cpus, loadavg, release } from "node:os";
import { parseArgs } from "node:util";
import { agents } from "./agents/agents.ts";
import { curvesOf, type Figure, type Suite } from "./curve.ts";
import { gateway } from "./gateway.ts";
import { planners } from "./planners.ts";
import { projection } from "./projection.ts";
import { table } from "./report.ts";

const SUITES: Readonly<Record<string, Suite>> = { planners, projection, gateway, agents };
const USAGE = `usage: scale [SUITE...] [--machines N,N...] [--json]
suites: ${Object.keys(SUITES).join(", ")} (default: all). --machines: 2 to 250 each, default 3,10,50,100,200.`;

async function main(): Promise<number> {
  const args = argumentsGiven();
  if (typeof args === "string") {
    console.error(args === "" ? USAGE : `scale: ${args}\n${USAGE}`);
    return args === "" ? 0 : 2;
  }
  const { suites, sizes, json } = args;
  const before = loadavg()[0] ?? 0;
  const found = new Map<number, Figure[]>(sizes.map((size) => [size, []]));
  const failed: string[] = [];
  for (const name of suites)
    for (const machines of sizes) {
      const progress = (text: string) => console.error(`scale: ${name}, ${machines} machines: ${text}`);
      const fail = (part: string, error: unknown) =>
        failed.push(`${name}, ${machines} machines${part}: ${error instanceof Error ? error.stack : error}`);
      const partFailed = (part: string, error: unknown) => fail(`, ${part}`, error);
      try {
        const figures = await SUITES[name]?.({ machines, progress, failed: partFailed });
        found.get(machines)?.push(...(figures ?? []));
      } catch (error) {
        fail("", error);
      }
    }
  const curves = curvesOf(found);
  const at = new Date().toISOString();
  const machine = {
    cpu: cpus()[0]?.model ?? "",
    cores: cpus().length,
    kernel: release(),
    node: process.version,
  };
  const load = { before, after: loadavg()[0] ?? 0 };
  if (json) console.log(JSON.stringify({ kind: "scale", at, machine, load, curves, failed }, null, 2));
  else {
    const { cpu, cores, kernel, node } = machine;
    console.log(
      `${at.slice(0, 16)}Z. ${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}. Load before ${load.before.toFixed(1)}, after ${load.after.toFixed(1)}.\n`,
    );
    console.log(table(curves, sizes));
    for (const what of failed) console.log(`FAILED ${what}`);
  }
  return failed.length > 0 ? 1 : 0;
}

/** A text: their fault, or nothing for `--help`. */
function argumentsGiven() {
  try {
    const { values, positionals } = parseArgs({
      options: { machines: { type: "string" }, json: { type: "boolean" }, help: { type: "boolean" } },
      allowPositionals: true,
    });
    if (values.help) return "";
    const unknown = positionals.filter((name) => !Object.hasOwn(SUITES, name));
    if (unknown.length > 0) return `no suite ${unknown.join(", ")}`;
    const sizes = (values.machines ?? "3,10,50,100,200").split(",").map(Number);
    const wrong = sizes.some((size) => !Number.isInteger(size) || size < 2 || size > 250);
    if (wrong || new Set(sizes).size < sizes.length) return "--machines must be different numbers, 2 to 250";
    const suites = positionals.length > 0 ? positionals : Object.keys(SUITES);
    return { suites, sizes: sizes.toSorted((a, b) => a - b), json: values.json === true };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

process.exitCode = await main();
