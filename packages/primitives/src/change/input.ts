import Type, { type TObject } from "typebox";
import type { Refusal } from "../engine/types.ts";
import type { VolumeSpec } from "../model/commit.ts";
import { bytes } from "../model/fields.ts";
import { LIMITS, RECORDSIZES } from "../model/limits.ts";
import { type Shape, shapeChecker } from "../model/shape.ts";

type Parsed<In> =
  | { readonly ok: true; readonly input: In }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

/** The `parse` of a primitive whose schema checks its whole input. Refuses unknown fields. */
export function inputParser<T extends TObject>(schema: T): (input: unknown) => Parsed<Shape<T>> {
  const check = shapeChecker({ ...schema, additionalProperties: false });
  return (input) => {
    const refusals = check(input);
    return refusals.length > 0 ? { ok: false, refusals } : { ok: true, input: input as Shape<T> };
  };
}

/** Fields of a volume, in the input of a primitive that creates one. */
export const volumeFields = {
  scope: Type.Optional(Type.Enum(["single", "shared"])),
  quotaBytes: Type.Optional(bytes("Most space it may take.", LIMITS.quota)),
  recordsizeBytes: Type.Optional(Type.Enum(RECORDSIZES, { description: "Record size of the dataset." })),
};

/** A copy under another name is on no schedule of its source's. */
export const unscheduled = (spec: VolumeSpec): VolumeSpec => volumeSpecOf(spec);

/** The standbys of a volume that is there already: they are the operator's, whatever an older spec or a manifest without any says. */
export function withStandbyOf(spec: VolumeSpec, present: VolumeSpec | undefined): VolumeSpec {
  const { standby: _, ...rest } = spec;
  return { ...rest, ...(present?.standby && { standby: present.standby }) };
}

/** The spec without the standby on one machine, or on all. */
export function withoutStandby(spec: VolumeSpec, machine?: string): VolumeSpec {
  const { standby } = spec;
  const left = machine === undefined ? [] : (standby?.machines ?? []).filter((one) => one !== machine);
  const rest = withStandbyOf(spec, undefined);
  return left.length === 0 || standby === undefined
    ? rest
    : { ...rest, standby: { ...standby, machines: left } };
}

export const volumeSpecOf = ({
  scope = "single",
  quotaBytes,
  recordsizeBytes,
}: Partial<VolumeSpec>): VolumeSpec => ({
  scope,
  ...(quotaBytes !== undefined && { quotaBytes }),
  ...(recordsizeBytes !== undefined && { recordsizeBytes }),
});
