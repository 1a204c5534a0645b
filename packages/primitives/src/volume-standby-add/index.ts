import { asItIs, liveHead, noNamespace, noVolume, wishOf } from "../change/decide/as-it-is.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { noStorage } from "../change/decide/volumes.ts";
import { inputParser } from "../change/input.ts";
import { observeWithoutContent } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";
import type { Refusal } from "../engine/types.ts";
import { DEFAULTS } from "../manifest/defaults.ts";
import type { Volume } from "../model/commit.ts";
import { invalid } from "../model/field.ts";
import { datasetLength, LIMITS } from "../model/limits.ts";
import { STANDBY_SNAPSHOT } from "../model/standby.ts";
import { first, silent } from "../volume-standby-sync/plan.ts";
import { Input, type VolumeStandbyAddInput } from "./input.ts";

/** From its commit on, another machine keeps a copy of the volume that follows it by a schedule. The first tick sends all of it. */
export const volumeStandbyAdd = changePrimitive<VolumeStandbyAddInput, ChangeFacts>({
  name: "volume-standby-add",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  observe: ({ namespace }, ports, signal) => observeWithoutContent([namespace], ports, signal),
  wish(input, facts) {
    const { namespace, machine } = input;
    const head = liveHead(facts.head);
    const present = asItIs(namespace, facts.head);
    if (head === undefined) return wishOf(present, { refusals: [noNamespace(namespace, facts)] });
    const volume = head.commit.volumes.find(({ name }) => name === input.volume);
    if (volume === undefined) return wishOf(present, { refusals: [noVolume(namespace, input.volume, head)] });
    const { name, spec } = volume;
    const known = spec.standby ?? { machines: [], everyMs: DEFAULTS.standbyMs };
    const standby = {
      machines: [...new Set([...known.machines, machine])].sort(),
      everyMs: input.everyMs ?? known.everyMs,
    };
    const refusals = known.machines.includes(machine) ? [] : refuse(volume, input, facts);
    const volumes = { [name]: { spec: { ...spec, standby }, source: { kind: "keep" as const } } };
    return wishOf({ ...present, volumes }, { refusals });
  },
});

function refuse(
  volume: Volume,
  { namespace, machine }: VolumeStandbyAddInput,
  facts: ChangeFacts,
): readonly Refusal[] {
  const unknown = unknownMachine("machine", machine, facts);
  if (unknown !== undefined) return [unknown];
  const { id, name, machine: source } = volume;
  if (machine === source) {
    const message = `${namespace}/${name} is on ${machine} itself`;
    return [invalid(["machine"], message, "a second copy belongs on another machine")];
  }
  const over = datasetLength({ namespace, id }, STANDBY_SNAPSHOT) - LIMITS.dataset;
  if (over > 0) {
    const message = `the snapshots of its standby would have names of ${LIMITS.dataset + over} letters; ZFS takes ${LIMITS.dataset}`;
    return [invalid(["volume"], message, `a name of the namespace or the volume that is ${over} shorter`)];
  }
  const factOf = (one: string) => facts.machines.find(({ record }) => record.id === one);
  const to = factOf(machine);
  if (to?.observation === undefined) return [silent(machine, "it would keep the copy")];
  if (to.observation.storage === undefined) return [noStorage(name, machine)];
  const has = to.observation.volumes.some((copy) => copy.id === id);
  const bytes = factOf(source)?.observation?.volumes.find((copy) => copy.id === id)?.referencedBytes ?? 0;
  return has ? [] : first(volume, bytes, to, namespace);
}
