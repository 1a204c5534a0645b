import { inputParser } from "../change/input.ts";
import type { Refusals } from "../engine/types.ts";
import { recordPrimitive } from "../membership/lifecycle.ts";
import { LIMITS } from "../model/limits.ts";
import type { MachineRecord } from "../model/machine.ts";
import { Input, type MachineLabelInput } from "./input.ts";

/** Sets what placement knows of a machine: labels, region and zone. Running instances stay where they are until their next change. */
export const machineLabel = recordPrimitive<MachineLabelInput>({
  name: "machine-label",
  parse: inputParser(Input),
  next: labelled,
  follows(input, { machine }) {
    if (machine === undefined) return { settle: [], warnings: [], summary: {} };
    const { labels = {}, region, az } = labelled(machine.record, input);
    const twice = input.remove?.find((key) => Object.hasOwn(input.labels ?? {}, key));
    if (twice !== undefined) return refused(`label ${twice} is both set and removed`, "name it once");
    if (Object.keys(labels).length > LIMITS.labels)
      return refused(`a machine has at most ${LIMITS.labels} labels`, "remove some of them: --rm KEY");
    const place = { ...(region !== undefined && { region }), ...(az !== undefined && { az }) };
    return { settle: [], warnings: [], summary: { labels: { ...labels }, ...place } };
  },
});

function labelled(
  { labels: present = {}, ...record }: MachineRecord,
  { labels: set = {}, remove = [], region, az }: MachineLabelInput,
): MachineRecord {
  const kept = Object.entries({ ...present, ...set }).filter(([key]) => !remove.includes(key));
  return {
    ...record,
    ...(kept.length > 0 && { labels: Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))) }),
    ...(region !== undefined && { region }),
    ...(az !== undefined && { az }),
  };
}

const refused = (message: string, hint: string): Refusals => ({
  refusals: [{ code: "invalid_input", message, hint }],
});
