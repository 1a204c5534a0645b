import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { ExecError } from "@ployz/exec";
import { machineFacts } from "./machine-facts.ts";
import type { Comparison } from "./measure.ts";
import { markdown } from "./report.ts";
import type { Suite } from "./suite.ts";
import { cliSuite } from "./suites/cli.ts";
import { contextSuite } from "./suites/context.ts";
import { deploySuite, dockerDeploySuite } from "./suites/deploy.ts";
import { gatewaySuite } from "./suites/gateway.ts";
import { imageSuite } from "./suites/image.ts";
import { instanceSuite } from "./suites/instance.ts";
import { memorySuite } from "./suites/memory.ts";
import { networkSuite } from "./suites/network.ts";
import { branchSuite, migrateSuite, transferSuite } from "./suites/state.ts";
import { storeSuite } from "./suites/store.ts";

const SUITES: Readonly<Record<string, Suite>> = {
  branch: branchSuite,
  cli: cliSuite,
  context: contextSuite,
  deploy: deploySuite,
  "deploy-docker": dockerDeploySuite,
  gateway: gatewaySuite,
  image: imageSuite,
  instance: instanceSuite,
  memory: memorySuite,
  migrate: migrateSuite,
  network: networkSuite,
  store: storeSuite,
  transfer: transferSuite,
};
const USAGE = `usage: bench [SUITE...] [--json] [--rounds N]
suites: ${Object.keys(SUITES).join(", ")} (default: all). As root. Needs root. All suites except gateway and store create a lab and remove it.`;

async function main(): Promise<number> {
  const args = argumentsGiven();
  if (args === undefined) return 2;
  const { values, positionals } = args;
  const rounds = Number(values.rounds ?? 7);
  const unknown = positionals.filter((name) => SUITES[name] === undefined);
  if (values.help === true || unknown.length > 0 || !Number.isInteger(rounds) || rounds < 5) {
    console.error(unknown.length > 0 ? `bench: no suite ${unknown.join(", ")}\n${USAGE}` : USAGE);
    if (rounds < 5) console.error("bench: needs at least 5 rounds");
    return values.help === true ? 0 : 2;
  }
  const before = loadavg()[0] ?? 0;
  const results: Comparison[] = [];
  const failed: string[] = [];
  for (const name of positionals.length > 0 ? positionals : Object.keys(SUITES)) {
    try {
      const found = await SUITES[name]?.({ rounds, progress: (text) => console.error(`bench: ${text}`) });
      results.push(...(found ?? []));
    } catch (error) {
      failed.push(`${name}: ${why(error)}`);
    }
  }
  const machine = { ...(await machineFacts()), loadBefore: before, loadAfter: loadavg()[0] ?? 0 };
  if (values.json === true) {
    console.log(
      JSON.stringify({ kind: "bench", at: new Date().toISOString(), machine, results, failed }, null, 2),
    );
  } else {
    const { cpu, cores, kernel, node, programs } = machine;
    console.log(
      `${new Date().toISOString().slice(0, 16)}Z. ${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}; ${programs.join(", ")}. Load before ${before.toFixed(1)}, after ${machine.loadAfter.toFixed(1)}.\n`,
    );
    for (const result of results) console.log(markdown(result));
    for (const what of failed) console.log(`FAILED ${what}`);
  }
  return failed.length > 0 ? 1 : 0;
}

function argumentsGiven() {
  try {
    return parseArgs({
      options: { json: { type: "boolean" }, rounds: { type: "string" }, help: { type: "boolean" } },
      allowPositionals: true,
    });
  } catch (error) {
    console.error(`bench: ${why(error)}\n${USAGE}`);
    return undefined;
  }
}

function why(error: unknown): string {
  if (error instanceof ExecError)
    return `${error.message}\n${error.stderr.trim().split("\n").slice(-12).join("\n")}`;
  return error instanceof Error ? error.message : String(error);
}

process.exitCode = await main();
