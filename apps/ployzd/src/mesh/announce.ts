import type { Store } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** Publishes this machine's endpoints to the cluster. */
export async function announceEndpoints(
  { facts }: Pick<Store, "facts">,
  self: string,
  endpoints: readonly string[],
): Promise<void> {
  const found = await facts.get(`machine.${self}`);
  if (found === undefined)
    throw new PloyzError({
      code: "not_a_member",
      message: `the cluster has removed machine ${self}`,
      hint: "clean up this machine: ployzctl mesh leave",
    });
  const record = found.value;
  if (JSON.stringify(record.endpoints) === JSON.stringify(endpoints)) return;
  const written = await facts.put(found.key, { ...record, endpoints }, found.revision);
  if (written.ok) return;
  throw new PloyzError({
    code: "conflict",
    message: `the record of ${self} changed meanwhile`,
    hint: "run the same command again",
  });
}
