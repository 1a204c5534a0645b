import { type ErrorBody, errorBody } from "@ployz/errors";
import type { PrimitivePorts } from "../engine/types.ts";
import { isMember } from "../model/machine.ts";
import type { Commands } from "../participant/commands.ts";
import { ask, LOOK } from "../ports/machines.ts";

/** What a machine keeps; without `usage` it does not answer. */
export type MachineUsage = {
  readonly machine: string;
  readonly usage?: Commands["image.usage"]["out"];
  readonly error?: ErrorBody;
};

/** What every member keeps, or only some. Sorted by machine. */
export async function observeUsage(
  args: Commands["image.usage"]["args"] & { readonly machines?: readonly string[] | undefined },
  { store, machines }: PrimitivePorts,
  signal: AbortSignal,
): Promise<readonly MachineUsage[]> {
  const { machines: wanted, ...asked } = args;
  const members = (await store.facts.list("machine"))
    .flatMap(({ value }) => (isMember(value) ? [value.id] : []))
    .filter((id) => wanted === undefined || wanted.includes(id))
    .sort();
  const found = members.map(async (machine): Promise<MachineUsage> => {
    try {
      const look = () => machines.call(machine, "image.usage", asked, { ...LOOK, signal });
      return { machine, usage: await ask(look) };
    } catch (error) {
      signal.throwIfAborted();
      return { machine, error: errorBody(error) };
    }
  });
  return Promise.all(found);
}

/** Warnings about machines that were left out. */
export const silentMachines = (found: readonly MachineUsage[]): readonly string[] =>
  found.flatMap(({ machine, error }) =>
    error === undefined ? [] : [`machine ${machine} is left out: ${error.message}`],
  );

/** Names that are no machine of the cluster, as refusals. */
export const unknownMachines = (
  wanted: readonly string[] | undefined,
  found: readonly MachineUsage[],
): readonly ErrorBody[] =>
  (wanted ?? [])
    .filter((id) => !found.some(({ machine }) => machine === id))
    .map((id) => ({
      code: "no_such_machine",
      message: `machine ${id} does not exist`,
      hint: "ployzctl machine ls",
      machine: id,
    }));
