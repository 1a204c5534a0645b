import Type, { type Static, type TObject } from "typebox";
import type { Refusal } from "../engine/types.ts";
import * as patterns from "../manifest/patterns.ts";
import { shapeChecker } from "../manifest/validate.ts";
import type { VolumeSpec } from "../model/commit.ts";
import type { Json } from "../model/json.ts";

type Parsed<In> =
  | { readonly ok: true; readonly input: In }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

/** Names of namespaces, services, volumes and machines in the input of a primitive. */
export const label = (description: string) => Type.String({ pattern: patterns.NAME, description });
export const bytes = (description: string) =>
  Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description });

/** Names of volumes to something about them. */
export const byName = <T extends Type.TSchema>(value: T, description: string) =>
  Type.Record(Type.String(), value, {
    propertyNames: { pattern: patterns.NAME },
    maxProperties: 1000,
    description,
  });

/** The `parse` of a primitive whose input is all shape. Takes no field that the schema does not have. */
export function inputParser<T extends TObject>(schema: T): (input: unknown) => Parsed<Static<T> & Json> {
  const check = shapeChecker({ ...schema, additionalProperties: false });
  return (input) => {
    const refusals = check(input);
    return refusals.length > 0 ? { ok: false, refusals } : { ok: true, input: input as Static<T> & Json };
  };
}

/** What a volume is to be, in the input of a primitive that makes one. */
export const volumeFields = {
  scope: Type.Optional(Type.Enum(["single", "shared"])),
  quotaBytes: Type.Optional(bytes("Most space it may take.")),
  recordsizeBytes: Type.Optional(bytes("Record size of the dataset.")),
};

export const volumeSpecOf = ({
  scope = "single",
  quotaBytes,
  recordsizeBytes,
}: Partial<VolumeSpec>): VolumeSpec => ({
  scope,
  ...(quotaBytes !== undefined && { quotaBytes }),
  ...(recordsizeBytes !== undefined && { recordsizeBytes }),
});
