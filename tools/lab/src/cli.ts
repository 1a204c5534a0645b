import { parseArgs } from "node:util";
import { PloyzError } from "@ployz/errors";
import { ExecError } from "@ployz/exec";
import type { LabInfo } from "./describe.ts";
import { attachLab, openLab } from "./lab.ts";
import type { LoadReport } from "./load-report.ts";
import { enterArgv } from "./machine.ts";
import { checkLabName, defaultLabName } from "./names.ts";
import { checkIndex, type LabKind, listLabs, readSpec } from "./spec.ts";
import { down } from "./up.ts";

const usage = `lab: simulated machines

  lab up N [--kind ns|systemd|vm] [--docker] [--bare] [--databases] [--payload TARBALL] [--no-ssh-mesh]
  lab info                       machines, addresses, keys
  lab sh I -- CMD...             run a command in machine I
  lab cut I | on I               power cut; boot again from the same disk
  lab partition I J              drop all packets between two machines
  lab lose I PERCENT             lose a share of the packets that a machine sends to others
  lab heal                       undo all partitions and losses
  lab pause I | resume I         stop and continue every process of a machine
  lab load URL [--rate R] [--seconds S] [--host HEADER] [--from I] [--late-ms M] [--timeout-ms M] [--keep-alive]
  lab down | ls

  --name NAME (or PLOYZ_LAB)     which lab; default: one per user and checkout
  --json                         for info, up, load, ls`;

class UsageError extends Error {}

const flags = {
  name: { type: "string" },
  kind: { type: "string" },
  payload: { type: "string" },
  docker: { type: "boolean" },
  databases: { type: "boolean" },
  bare: { type: "boolean" },
  "no-ssh-mesh": { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  rate: { type: "string" },
  seconds: { type: "string" },
  host: { type: "string" },
  from: { type: "string" },
  "late-ms": { type: "string" },
  "timeout-ms": { type: "string" },
  "keep-alive": { type: "boolean" },
} as const;

const out = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(argv: readonly string[]): Promise<number> {
  // Everything after `--` belongs to the machine's command.
  const end = argv.indexOf("--");
  const { values, positionals } = parseArgs({
    args: end === -1 ? [...argv] : argv.slice(0, end),
    options: flags,
    allowPositionals: true,
  });
  const [command, ...rest] = positionals;
  if (values.help || command === undefined || command === "help") {
    out(usage);
    return command === undefined && !values.help ? 2 : 0;
  }
  const name = checkLabName(
    values.name ?? process.env.PLOYZ_LAB ?? defaultLabName(process.cwd(), process.getuid?.() ?? 0),
  );
  const words = (...names: readonly string[]) => {
    if (rest.length !== names.length)
      throw new UsageError(`lab ${command} takes ${names.join(" ") || "no argument"}`);
    return rest as readonly string[];
  };
  const machines = (...names: readonly string[]) => words(...names).map((word) => whole(word));

  switch (command) {
    case "up": {
      const [count] = machines("N");
      const stop = new AbortController();
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stop.abort());
      const lab = await openLab({
        name,
        signal: stop.signal,
        machines: count ?? 0,
        kind: kindOf(values.kind),
        docker: values.docker ?? false,
        databases: values.databases ?? false,
        bare: values.bare ?? false,
        sshMesh: !values["no-ssh-mesh"],
        ...(values.payload !== undefined && { payload: values.payload }),
        onProgress: (line) => process.stderr.write(`lab: ${line}\n`),
      });
      printInfo(await lab.info(), values.json);
      return 0;
    }
    case "info":
      words();
      printInfo(await (await attachLab(name)).info(), values.json);
      return 0;
    case "sh": {
      const spec = await readSpec(name);
      const [index, ...typed] = rest;
      const cmd = [...typed, ...(end === -1 ? [] : argv.slice(end + 1))];
      if (index === undefined || cmd.length === 0)
        throw new UsageError("lab sh takes a machine and a command: lab sh 1 -- ip addr");
      // The launcher becomes this program; see ../lab.
      process.stdout.write(
        (await enterArgv(spec, checkIndex(spec, whole(index)), cmd)).map((word) => `${word}\0`).join(""),
      );
      return 0;
    }
    case "cut":
    case "on":
    case "pause":
    case "resume": {
      const [index] = machines("I");
      await (await attachLab(name))[command](index ?? 0);
      return 0;
    }
    case "partition": {
      const [a, b] = machines("I", "J");
      await (await attachLab(name)).partition(a ?? 0, b ?? 0);
      return 0;
    }
    case "lose": {
      const [index, percent] = machines("I", "PERCENT");
      await (await attachLab(name)).lose(index ?? 0, percent ?? 0);
      return 0;
    }
    case "heal":
      words();
      await (await attachLab(name)).heal();
      return 0;
    case "load": {
      const [url] = words("URL");
      const stop = new AbortController();
      process.on("SIGINT", () => stop.abort());
      const report = await (await attachLab(name)).load(url ?? "", {
        until: stop.signal,
        keepAlive: values["keep-alive"] ?? false,
        ...(values.rate !== undefined && { rate: Number(values.rate) }),
        ...(values.seconds !== undefined && { seconds: Number(values.seconds) }),
        ...(values["late-ms"] !== undefined && { lateMs: Number(values["late-ms"]) }),
        ...(values["timeout-ms"] !== undefined && { timeoutMs: Number(values["timeout-ms"]) }),
        ...(values.host !== undefined && { host: values.host }),
        ...(values.from !== undefined && { from: whole(values.from) }),
      });
      printLoad(report, values.json);
      return 0;
    }
    case "down":
      words();
      await down(name);
      return 0;
    case "ls": {
      words();
      const labs = await listLabs();
      out(values.json ? JSON.stringify({ kind: "labs", labs }) : labs.join("\n"));
      return 0;
    }
    default:
      throw new UsageError(`unknown command ${command}`);
  }
}

/** "1" and "m1" both name the first machine. */
function whole(word: string): number {
  const digits = /^m?(\d{1,3})$/.exec(word)?.[1];
  if (digits === undefined) throw new UsageError(`${JSON.stringify(word)} is not a machine number`);
  return Number(digits);
}

function kindOf(word: string | undefined): LabKind {
  if (word === undefined || word === "ns") return "ns";
  if (word === "systemd" || word === "vm") return word;
  throw new UsageError(`--kind is ns, systemd or vm, not ${JSON.stringify(word)}`);
}

function printInfo(info: LabInfo, json = false): void {
  if (json) {
    out(JSON.stringify(info));
    return;
  }
  out(
    `lab ${info.name} (${info.machineKind}${info.docker ? ", docker" : ""}${info.bare ? ", bare" : ""}), client ${info.clientAddress}, key ${info.sshKey}`,
  );
  for (const machine of info.machines) {
    out(
      `${machine.name.padEnd(5)} ${machine.address.padEnd(14)} ${machine.init === null ? "off" : `on, init ${machine.init}`}`,
    );
  }
}

function printLoad(report: LoadReport, json = false): void {
  if (json) {
    out(JSON.stringify(report));
    return;
  }
  out(
    `${report.sent} requests in ${report.seconds} s: ${report.ok} ok, ${report.failed} failed, ${report.late} late`,
  );
  out(
    `longest gap ${report.longestGapMs} ms, p50 ${report.p50Ms} ms, p99 ${report.p99Ms} ms, max ${report.maxMs} ms`,
  );
  for (const failure of report.failures.slice(0, 20))
    out(`  failed at ${failure.atMs} ms after ${failure.afterMs} ms: ${failure.reason}`);
  for (const late of report.lates.slice(0, 20)) out(`  late at ${late.atMs} ms: ${late.afterMs} ms`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  report(error);
}

function report(error: unknown): void {
  const { name, code } = error as { name?: string; code?: unknown };
  if (name === "AbortError" || code === "exec_aborted") {
    process.stderr.write("lab: interrupted; removed the unfinished lab\n");
    process.exitCode = 130;
    return;
  }
  const wrong =
    error instanceof UsageError ||
    (error as { code?: unknown }).code?.toString().startsWith("ERR_PARSE_ARGS");
  const hint =
    error instanceof PloyzError && error.hint !== undefined
      ? `\n  ${error.hint}`
      : wrong
        ? "\n  see: lab --help"
        : "";
  const detail = error instanceof ExecError && error.stderr !== "" ? `\n${error.stderr.trimEnd()}` : "";
  const known = wrong || error instanceof PloyzError;
  process.stderr.write(`lab: ${known ? (error as Error).message : (error as Error).stack}${hint}${detail}\n`);
  process.exitCode = wrong ? 2 : 1;
}
