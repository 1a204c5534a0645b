import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "../cluster.ts";
import { ledgerBundles, ledgerManifest } from "../ledger.ts";
import { type Started, started } from "../started.ts";
import type { Command, Deed } from "./plan.ts";

/** The result that a command reported. Epoch milliseconds. */
export interface Word {
  readonly command: Command;
  readonly line: string;
  /** Undefined: its machine lost power, or it was killed. */
  readonly exitCode: number | undefined;
  readonly document: Said | undefined;
  readonly stderr: string;
  readonly operation: string | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
}

interface Said {
  readonly kind: string;
  readonly operation?: string;
  readonly state?: string;
  readonly changed?: boolean;
  readonly committed?: boolean;
  readonly revision?: number;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Longest time that a command may take, whatever goes wrong around it. */
const LONGEST_MS = 600_000;

/** Starts a command at its time. Undefined: its machine was off. `known`: names of snapshots that there are. */
export async function launch(
  cluster: Cluster,
  command: Command,
  known: readonly string[],
): Promise<{ readonly line: string; readonly running: Started } | undefined> {
  await delay(command.afterMs);
  try {
    const args = await argumentsOf(cluster, command, known);
    if (args === undefined) return undefined;
    const running = await started(cluster, command.at, args);
    return { line: `m${command.at}# ployzctl ${args.join(" ")}`, running };
  } catch {
    return undefined;
  }
}

/** Follows a command to its end, which it brings about earlier where the plan says so. */
export async function follow(
  cluster: Cluster,
  command: Command,
  { line, running }: { readonly line: string; readonly running: Started },
): Promise<Word> {
  const startedAt = Date.now();
  const { cut } = command;
  const cutting =
    cut &&
    (async () => {
      await delay(cut.afterMs);
      if (cut.how !== "ops abort") return running.signal(cut.how);
      const operation = running.events.find(({ type }) => type === "accepted")?.operation;
      if (operation !== undefined)
        await cluster.ctl(cut.from, ["ops", "abort", operation], { ok: ANY, timeoutMs: LONGEST_MS });
    })().catch(() => {});
  const given = Symbol("given up");
  const ended = await Promise.race([
    running.done.catch(() => undefined),
    delay(LONGEST_MS, given, { ref: false }),
  ]);
  if (ended === given) {
    await running.signal("SIGKILL").catch(() => {});
    throw new Error(`${line}: no end after ${LONGEST_MS / 1000} s: ${JSON.stringify(running.events.at(-1))}`);
  }
  await cutting;
  const document = parsed(ended?.stdout ?? "");
  const accepted = running.events.find(({ type }) => type === "accepted")?.operation;
  return {
    command,
    line,
    exitCode:
      ended === undefined || ended.exitCode > 130 || cut?.how === "SIGKILL" ? undefined : ended.exitCode,
    document,
    stderr: ended?.stderr ?? "",
    operation: document?.operation ?? accepted,
    startedAt,
    endedAt: Date.now(),
  };
}

export const ANY = Array.from({ length: 256 }, (_, code) => code);

function parsed(text: string): Said | undefined {
  try {
    return JSON.parse(text) as Said;
  } catch {
    return undefined;
  }
}

async function argumentsOf(
  cluster: Cluster,
  { at, deed }: Command,
  known: readonly string[],
): Promise<readonly string[] | undefined> {
  switch (deed.kind) {
    case "deploy":
      return ["deploy", "-f", await cluster.put(at, manifestOf(deed), ledgerBundles)];
    case "restore": {
      const name = known.at(-1);
      return name === undefined ? undefined : ["volume", "restore", "prod/data", name];
    }
    default:
      return fixedArguments(deed);
  }
}

const manifestOf = ({ version, web, ledgerOn }: Deed & { readonly kind: "deploy" }) =>
  ledgerManifest({ version, ...(ledgerOn !== undefined && { machine: `m${ledgerOn}` }) }).replace(
    "[services.web]\n",
    `[services.web]\nreplicas = ${web}\n`,
  );

function fixedArguments(deed: Exclude<Deed, { readonly kind: "deploy" }>): readonly string[] {
  switch (deed.kind) {
    case "migrate":
      return ["migrate", "prod/ledger", "--to", `m${deed.machine}`];
    case "drain":
      return ["machine", "drain", `m${deed.machine}`, "--migrate"];
    case "activate":
      return ["machine", "activate", `m${deed.machine}`];
    case "scale":
      return ["scale", `prod/web=${deed.web}`];
    case "snapshot":
      return ["volume", "snapshot", "prod/data", deed.name];
    case "fork":
      return ["volume", "fork", "prod/data", `fork/${deed.name}`];
    case "rollback":
      return ["rollback", "prod"];
    case "rollback-data":
      return ["rollback", "prod", "--volumes", "all"];
    case "branch":
      return ["branch", "prod", "pr", "--volume-mode", "branch"];
    case "promote":
      return ["promote", "pr", "prod"];
    case "unbranch":
      return ["namespace", "rm", "pr", "--yes"];
    case "prune":
      return ["volume", "prune", "prod"];
    case "restart":
      return ["restart", "prod/web"];
    case "restore":
      throw new Error("needs the name of a snapshot");
  }
}
