import type { MachineRecord, Store } from "@ployz/primitives";
import { PloyzError } from "../error-codes.ts";

/** Tells the cluster where peers may reach this machine from now on. */
export async function announceEndpoints(
  { facts }: Pick<Store, "facts">,
  self: string,
  endpoints: readonly string[],
): Promise<void> {
  const found = await facts.get(`machine.${self}`);
  if (found === undefined)
    throw new PloyzError({
      code: "not_a_member",
      message: `the cluster has no machine ${self} any more`,
      hint: "ployzctl mesh leave",
    });
  const record = found.value as unknown as MachineRecord;
  if (JSON.stringify(record.endpoints) === JSON.stringify(endpoints)) return;
  const written = await facts.put(found.key, { ...record, endpoints }, found.revision);
  if (written.ok) return;
  throw new PloyzError({
    code: "conflict",
    message: `the record of ${self} changed meanwhile`,
    hint: "run the same command again",
  });
}
