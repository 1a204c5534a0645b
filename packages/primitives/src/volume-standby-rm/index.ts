import { asItIs, liveHead, noNamespace, noVolume, wishOf } from "../change/decide/as-it-is.ts";
import { inputParser, withoutStandby } from "../change/input.ts";
import { observeWithoutContent } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";
import { Input, type VolumeStandbyRmInput } from "./input.ts";

/** From its commit on, a machine keeps no copy that follows the volume. The last one is a retired copy, which its retention deletes. */
export const volumeStandbyRm = changePrimitive<VolumeStandbyRmInput, ChangeFacts>({
  name: "volume-standby-rm",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  observe: ({ namespace }, ports, signal) => observeWithoutContent([namespace], ports, signal),
  wish({ namespace, volume: name, machine }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(namespace, facts.head);
    if (head === undefined) return wishOf(present, { refusals: [noNamespace(namespace, facts)] });
    const volume = head.commit.volumes.find((one) => one.name === name);
    if (volume === undefined) return wishOf(present, { refusals: [noVolume(namespace, name, head)] });
    const machines = volume.spec.standby?.machines ?? [];
    if (machine !== undefined && !machines.includes(machine)) {
      const hint = machines.length > 0 ? `it has one on ${machines.join(", ")}` : "it has none";
      const message = `${namespace}/${name} has no standby on ${machine}`;
      return wishOf(present, { refusals: [{ code: "no_such_standby", message, hint }] });
    }
    const spec = withoutStandby(volume.spec, machine);
    return wishOf({ ...present, volumes: { [name]: { spec, source: { kind: "keep" } } } });
  },
});
