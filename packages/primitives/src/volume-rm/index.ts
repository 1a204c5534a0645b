import { asItIs, liveHead, noNamespace, noVolume, wishOf } from "../change/decide/as-it-is.ts";
import { inputParser } from "../change/input.ts";
import { observeWithoutContent } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";
import { Input, type VolumeRmInput } from "./input.ts";

/** Takes a volume that nothing uses out of its namespace. Its data is kept, retired, until the retention lets it go. */
export const volumeRm = changePrimitive<VolumeRmInput, ChangeFacts>({
  name: "volume-rm",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  observe: ({ namespace }, ports, signal) => observeWithoutContent([namespace], ports, signal),
  wish({ namespace, volume }, facts) {
    const head = liveHead(facts.head);
    const present = asItIs(namespace, facts.head);
    if (head === undefined) return wishOf(present, { refusals: [noNamespace(namespace, facts)] });
    const there = head.commit.volumes.some(({ name }) => name === volume);
    if (!there) {
      // Removed before: its retired copy is still here, and the same command again changes nothing.
      const retired = facts.machines.some(({ observation }) =>
        observation?.volumes.some(
          (copy) => copy.namespace === namespace && copy.name === volume && copy.state === "retired",
        ),
      );
      return wishOf(present, { refusals: retired ? [] : [noVolume(namespace, volume, head)] });
    }
    const users = Object.entries(present.services).flatMap(([name, { spec }]) =>
      Object.hasOwn(spec.volumes, volume) ? [name] : [],
    );
    if (users.length > 0)
      return wishOf(present, {
        refusals: [
          {
            code: "volume_in_use",
            message: `${namespace}/${volume} is used by ${users.join(", ")}`,
            hint: "deploy the namespace without that service or volume first",
          },
        ],
      });
    return wishOf({ ...present, dropped: [volume] });
  },
});
