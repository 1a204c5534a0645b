import type { ServiceSpec } from "../../model/commit.ts";
import { own } from "../../model/own.ts";
import type { Desired } from "./desired.ts";
import { type Needs, needsOf } from "./place.ts";
import type { VolumePlan } from "./volumes.ts";

/** What a service asks of a machine, with the machine that its volumes or its operator bind it to, or keep it off. */
export function boundNeeds(
  name: string,
  spec: ServiceSpec,
  { pins, avoid }: Pick<Desired, "pins" | "avoid">,
  volumes: VolumePlan,
): Needs {
  const needs = needsOf(spec);
  const pin = own(pins, name);
  const bound = Object.keys(spec.volumes).flatMap((volume) => {
    const machine = volumes.machineOf(volume);
    return machine === undefined ? [] : [{ machine, why: `its volume ${volume} is on ${machine}` }];
  });
  const fresh = volumes.unplaced(spec);
  const all = [
    ...bound,
    ...(pin === undefined ? [] : [{ machine: pin, why: `it was asked to be on ${pin}` }]),
  ];
  const [first] = all;
  const other = all.find(({ machine }) => machine !== first?.machine);
  const only =
    other === undefined || first === undefined
      ? first
      : { machine: "", why: `${first.why}, and ${other.why}` };
  return {
    ...needs,
    ...(avoid && { avoid }),
    ...(only && { only }),
    ...(fresh.length > 0 && {
      newVolumeBytes: fresh.reduce((sum, { spec: { quotaBytes = 0 } }) => sum + quotaBytes, 0),
    }),
  };
}
