import type { Refusal } from "../../engine/types.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import { isClone } from "./desired.ts";
import { mib } from "./place.ts";
import type { VolumeDecision } from "./volumes.ts";

interface Need {
  /** Of quotas, beyond what the machine has promised already. */
  readonly promiseBytes: number;
  /** Of data that is sent there. */
  readonly dataBytes: number;
}

/** Refuses volumes that do not fit into a machine's pool: quotas that may not be promised, data that does not fit. Pure. */
export function refuseFull(decisions: readonly VolumeDecision[], facts: ChangeFacts): readonly Refusal[] {
  return facts.machines.flatMap(({ record: { id: machine }, observation }): Refusal[] => {
    const storage = observation?.storage;
    const coming = decisions
      .filter((decision) => decision.machine === machine)
      .map((decision) => ({ name: decision.name, ...needOf(decision, facts) }))
      .filter(({ promiseBytes, dataBytes }) => promiseBytes > 0 || dataBytes > 0);
    if (storage === undefined || coming.length === 0) return [];
    const sum = (of: keyof Need) => coming.reduce((bytes, need) => bytes + need[of], 0);
    const what = `volumes.${coming.map(({ name }) => name).join(", ")}`;
    const refuse = (message: string, hint: string): Refusal[] => [
      { code: "no_space", message: `${what}: ${message}`, hint, machine },
    ];
    const promisable = storage.promisableBytes - storage.promisedBytes;
    if (sum("promiseBytes") > Math.max(0, promisable))
      return refuse(
        `${mib(Math.max(0, promisable))} MiB of the pool of ${machine} can still be promised, ${mib(sum("promiseBytes"))} MiB of quotas needed`,
        "smaller quotas, another machine, or a higher storage.overcommit_ratio there",
      );
    if (sum("dataBytes") > storage.availableBytes)
      return refuse(
        `${mib(storage.availableBytes)} MiB of the pool of ${machine} are free, and ${mib(sum("dataBytes"))} MiB of data would go there`,
        "choose another machine, or make room there: ployzctl volume prune",
      );
    return [];
  });
}

function needOf(decision: VolumeDecision, facts: ChangeFacts): Need {
  const { action, spec, previous, machine } = decision;
  const given = previous?.machine === machine ? (previous.spec.quotaBytes ?? 0) : 0;
  const promiseBytes = Math.max(0, (spec.quotaBytes ?? 0) - given);
  const copyOn = (on: string, id: string) =>
    facts.machines
      .find(({ record }) => record.id === on)
      ?.observation?.volumes.find((copy) => copy.id === id);
  switch (action) {
    case "keep":
    case "takeover":
      return { promiseBytes: 0, dataBytes: 0 };
    case "configure":
      return { promiseBytes, dataBytes: 0 };
    case "create":
      return { promiseBytes, dataBytes: decision.backup?.bytes ?? 0 };
    case "copy": {
      const { from } = decision;
      // A clone takes nothing until it is written to.
      if (isClone(from, machine)) return { promiseBytes: 0, dataBytes: 0 };
      return { promiseBytes, dataBytes: from.bytes ?? copyOn(from.machine, from.id)?.referencedBytes ?? 0 };
    }
    case "move": {
      // An older copy there needs the difference only, of unknown size.
      const sent = previous === undefined || copyOn(machine, previous.id) !== undefined;
      return { promiseBytes, dataBytes: sent ? 0 : (copyOn(previous.machine, previous.id)?.usedBytes ?? 0) };
    }
  }
}
