import type { Refusal } from "../../engine/types.ts";
import { invalid } from "../../model/field.ts";
import { volumeId } from "../../model/ids.ts";
import { datasetLength, LIMITS } from "../../model/limits.ts";
import { own } from "../../model/own.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";
import { isKept, type VolumeDecision } from "./volumes.ts";

/** `m2.machine.cluster.local` is machine m2: a service of a namespace of that name would have its name. */
const MACHINES = "machine";

/** Names that are good alone, and not together. Committed names stay. */
export const refuseNames = (
  { namespace, services }: Desired,
  decisions: readonly VolumeDecision[],
  { head }: Pick<ChangeFacts, "head">,
): readonly Refusal[] => [
  ...Object.keys(services).flatMap((name) =>
    namespace === MACHINES && own(head?.commit.services, name) === undefined
      ? [
          invalid(
            ["namespace"],
            `${MACHINES} is reserved: ${name}.${MACHINES}.cluster.local is a machine's name`,
            "choose another namespace",
          ),
        ]
      : [],
  ),
  ...decisions.flatMap((decision): readonly Refusal[] => {
    const id = volumeId(namespace, decision.name, "0".repeat(8));
    const over = datasetLength({ namespace, id }) - LIMITS.dataset;
    if (isKept(decision) || decision.action === "move" || decision.action === "takeover" || over <= 0)
      return [];
    return [
      invalid(
        ["volumes", decision.name],
        `its dataset would have a name of ${LIMITS.dataset + over} letters; ZFS takes ${LIMITS.dataset}`,
        `shorten the namespace, which is in it twice, or the volume's name by ${over}`,
      ),
    ];
  }),
];
