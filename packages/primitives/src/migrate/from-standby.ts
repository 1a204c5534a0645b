import type { WantedVolume, Wish } from "../change/decide/desired.ts";
import { withoutStandby } from "../change/input.ts";
import type { ChangeFacts, Head } from "../change/observe/facts.ts";
import { type Snapshots, snapshotsOf } from "../change/observe/snapshots.ts";
import type { Refusal } from "../engine/types.ts";
import type { Volume } from "../model/commit.ts";
import { standbyOf } from "../model/standby.ts";
import type { MigrateInput } from "./input.ts";

export type MigrateFacts = ChangeFacts & { readonly snapshots: Snapshots };

type Taken = Pick<Wish, "refusals" | "warnings"> & Pick<Wish["desired"], "volumes" | "pins" | "abandoned">;

/** The volumes of a service whose machine is dead, as their standbys hold them. Pure. */
export function fromStandbys(input: MigrateInput, { commit }: Head, facts: MigrateFacts): Taken {
  const { namespace, service, to } = input;
  const uses = (volume: Volume, of: string) =>
    Object.hasOwn(commit.services[of]?.spec.volumes ?? {}, volume.name);
  const taken = commit.volumes.filter((volume) => uses(volume, service) && volume.machine !== to);
  const users = Object.keys(commit.services).filter(
    (name) => name === service || taken.some((volume) => uses(volume, name)),
  );
  const found = taken.map((volume) => ({ volume, ...standbyFor(volume, input, facts) }));
  const volumes = found.flatMap(({ volume, snapshot }): [string, WantedVolume][] =>
    snapshot === undefined
      ? []
      : [
          [
            volume.name,
            { spec: withoutStandby(volume.spec, to), source: { kind: "standby", machine: to, snapshot } },
          ],
        ],
  );
  return {
    volumes: Object.fromEntries(volumes),
    pins: Object.fromEntries(users.map((name) => [name, to])),
    abandoned: users,
    refusals: [
      ...(taken.length === 0 && !users.some((name) => commit.volumes.some((volume) => uses(volume, name)))
        ? [noVolumes(namespace, service)]
        : []),
      ...found.flatMap(({ refusals }) => refusals),
    ],
    warnings: found.flatMap(({ volume: { name, machine }, holds }) =>
      holds === undefined
        ? []
        : [
            `${namespace}/${name}: writes after ${holds} are on ${machine} only; while ${machine} runs without the others it continues to write there, so make sure that it is off`,
          ],
    ),
  };
}

function standbyFor(
  volume: Volume,
  { namespace, to, acceptLoss = [] }: MigrateInput,
  facts: MigrateFacts,
): {
  readonly refusals: readonly Refusal[];
  readonly snapshot?: { readonly name: string; readonly guid: string };
  readonly holds?: string;
} {
  const { id, name, machine } = volume;
  const what = `${namespace}/${name}`;
  const factOf = (one: string) => facts.machines.find(({ record }) => record.id === one);
  if (factOf(machine)?.observation !== undefined) {
    const message = `machine ${machine} answers, and has all of ${what}`;
    return { refusals: [{ code: "machine_answers", message, hint: "leave --from-standby out", machine }] };
  }
  const there = factOf(to)?.observation;
  if (there === undefined) {
    const message = `machine ${to} does not answer, and the standby of ${what} is there`;
    return { refusals: [{ code: "machine_unreachable", message, hint: `bring ${to} back`, machine: to }] };
  }
  const copy = there.volumes.find((one) => one.id === id && one.standby !== undefined);
  const newest = snapshotsOf(facts.snapshots, to, id).findLast((one) => standbyOf(one.name) !== undefined);
  if (copy === undefined || newest === undefined) {
    const message = `${what} has no standby on ${to} that holds anything`;
    return {
      refusals: [{ code: "no_such_standby", message, hint: `ployzctl volume standby ls ${namespace}` }],
    };
  }
  const { name: snapshot, guid, createdAt: holds } = newest;
  const lost: Refusal = {
    code: "data_loss_unconfirmed",
    message: `${what}: the standby on ${to} holds everything written before ${holds}; later writes are on ${machine} only`,
    hint: `bring ${machine} back; or accept that: --accept-loss ${what}`,
    machine: to,
    details: { volume: what, holds },
  };
  return { refusals: acceptLoss.includes(what) ? [] : [lost], snapshot: { name: snapshot, guid }, holds };
}

const noVolumes = (namespace: string, service: string): Refusal => ({
  code: "no_such_standby",
  message: `${namespace}/${service} has no volumes`,
  hint: "leave --from-standby out",
});
