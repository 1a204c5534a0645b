import type { ServiceSpec } from "../../model/commit.ts";
import { own } from "../../model/own.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";
import { type Needs, needsOf } from "./place.ts";
import type { VolumePlan } from "./volumes.ts";

/**
 * The needs of a service. `only` (the machine that its volumes or the operator bind it to) and `newVolumeBytes` follow the volume
 * plan: a volume placed for one instance binds the next.
 */
export function boundNeeds(
  name: string,
  spec: ServiceSpec,
  { namespace, pins, avoid }: Pick<Desired, "namespace" | "pins" | "avoid">,
  { volumes, content }: { readonly volumes: VolumePlan; readonly content: ChangeFacts["content"] },
): Needs {
  const pin = own(pins, name);
  return {
    ...needsOf(spec, content),
    owner: `${namespace}/${name}`,
    avoid,
    get only() {
      const bound = Object.keys(spec.volumes).flatMap((volume) => {
        const machine = volumes.machineOf(volume);
        return machine === undefined ? [] : [{ machine, why: `its volume ${volume} is on ${machine}` }];
      });
      if (pin !== undefined) bound.push({ machine: pin, why: `it was asked to be on ${pin}` });
      const [first] = bound;
      const other = bound.find(({ machine }) => machine !== first?.machine);
      return first && other ? { machine: "", why: `${first.why}, and ${other.why}` } : first;
    },
    get newVolumeBytes() {
      const fresh = volumes.unplaced(spec);
      if (fresh.length === 0) return undefined;
      return fresh.reduce((sum, { spec: { quotaBytes = 0 } }) => sum + quotaBytes, 0);
    },
  };
}
