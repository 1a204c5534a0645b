import { type ErrorBody, errorBody } from "@ployz/errors";
import type { PrimitivePorts } from "../engine/types.ts";
import type { MachineRecord } from "../model/machine.ts";
import type { InstalledBuilds } from "../participant/update-commands.ts";
import { LOOK } from "../ports/machines.ts";
import type { Releases } from "../ports/releases.ts";
import type { MachineUpdateInput } from "./input.ts";

/** Ports of `machine-update`: the source of the payload too. */
export interface MachineUpdatePorts extends PrimitivePorts {
  readonly source: UpdateSource;
}

/** The machine whose daemon runs the operation: the other one gets its installed build. */
export interface UpdateSource {
  readonly machine: string;
  /** The build that this machine offers. */
  look(): Promise<InstalledBuilds & { readonly neededBytes: number }>;
  /** Whether a release key signed it. */
  signedBy: Releases["signedBy"];
}

export interface MachineUpdateFacts {
  /** `undefined`: there is no such machine. */
  readonly member?: { readonly record: MachineRecord; readonly revision: number };
  readonly others: readonly string[];
  readonly source: { readonly machine: string } & Awaited<ReturnType<UpdateSource["look"]>>;
  readonly found: InstalledBuilds | { readonly error: ErrorBody };
  /** Unless the machine has a release key that did not sign what the source offers. */
  readonly signed: boolean;
}

export async function observe(
  { machine }: MachineUpdateInput,
  { store, machines, source }: MachineUpdatePorts,
  signal: AbortSignal,
): Promise<MachineUpdateFacts> {
  const [entries, here, found] = await Promise.all([
    store.facts.list("machine"),
    source.look(),
    machines
      .call(machine, "update.look", {}, { ...LOOK, signal })
      .catch((error: unknown) => ({ error: errorBody(error) })),
  ]);
  const entry = entries.find(({ key }) => key === `machine.${machine}`);
  const releaseKey = "error" in found ? undefined : found.releaseKey;
  return {
    signed: releaseKey === undefined || (await source.signedBy(releaseKey)),
    ...(entry !== undefined && {
      member: { record: entry.value, revision: entry.revision },
    }),
    others: entries.map(({ key }) => key.slice("machine.".length)).filter((id) => id !== machine),
    source: { machine: source.machine, ...here },
    found,
  };
}
