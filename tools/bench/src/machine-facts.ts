import { cpus, release } from "node:os";
import { findProgram, run } from "@ployz/exec";

const VERSIONS: readonly (readonly [string, readonly string[]])[] = [
  ["haproxy", ["-v"]],
  ["nginx", ["-v"]],
  ["caddy", ["version"]],
  ["wrk", ["-v"]],
];

/** The hardware and versions behind the numbers. */
export async function machineFacts() {
  const programs = await Promise.all(
    VERSIONS.map(async ([name, args]) => {
      const path = await findProgram(name);
      if (path === undefined) return `${name} not installed`;
      const { stdout, stderr } = await run(path, args, { okExitCodes: [0, 1] });
      return `${name} ${/\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? "?"}`;
    }),
  );
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    kernel: release(),
    node: process.version,
    programs,
  };
}
