import { asItIs, noNamespace, wishOf } from "../change/decide/as-it-is.ts";
import type { WantedVolume, Wish } from "../change/decide/desired.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { withoutStandby } from "../change/input.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { snapshotsOf } from "../change/observe/snapshots.ts";
import type { Refusal } from "../engine/types.ts";
import type { Commit, CommittedService, Volume } from "../model/commit.ts";
import { standbyOf } from "../model/standby.ts";
import type { EvacuateInput } from "./input.ts";
import { chooseTargets } from "./targets.ts";

const MAX_ROUNDS = 5;

/** The namespace as it is, and nothing of it on the machine. */
export function wishEvacuated(input: EvacuateInput, facts: ChangeFacts): Wish {
  const { namespace, machine } = input;
  const { head } = facts;
  const present = { ...asItIs(namespace, head), avoid: [machine] };
  if (head === undefined) return wishOf(present, { refusals: [noNamespace(namespace, facts)] });
  if (input.lost) return withoutLost(input, head.commit, present, facts);
  const unknown = unknownMachine("machine", machine, facts);
  if (unknown !== undefined) return wishOf(present, { refusals: [unknown] });
  const { machines, refusals } = chooseTargets(head.commit, machine, facts);
  const volumes = head.commit.volumes.flatMap(({ name, spec }): [string, WantedVolume][] => {
    const to = machines.get(name);
    if (to === undefined) return [];
    const source = { kind: "move" as const, machine: to, maxRounds: MAX_ROUNDS };
    return [[name, { spec: withoutStandby(spec, machine), source }]];
  });
  const left = withoutStandbys(head.commit, machine);
  return wishOf(
    { ...present, volumes: { ...left.volumes, ...Object.fromEntries(volumes) } },
    { refusals, warnings: left.warnings },
  );
}

/** Volumes that were there leave the namespace, and what ran on them stays in it without instances. */
function withoutLost(
  { namespace, machine, lose = [], fromStandby }: EvacuateInput,
  commit: Commit,
  present: Wish["desired"],
  facts: ChangeFacts,
): Wish {
  const here = commit.volumes.filter((volume) => volume.machine === machine);
  const held = new Map(
    here.flatMap((volume): [string, Held][] => {
      const found = fromStandby ? newestStandby(volume, facts) : undefined;
      return found === undefined ? [] : [[volume.name, found]];
    }),
  );
  const there = here.map(({ name }) => name).filter((name) => !held.has(name));
  const answers = facts.machines.some(({ record, lost }) => record.id === machine && !lost);
  const refusals = answers
    ? [stillAnswers(machine)]
    : here
        .filter(({ name }) => !lose.includes(name))
        .map(({ name }) => unconfirmed(namespace, name, machine, held.get(name)));
  const services = Object.entries(commit.services).map(([name, service]): [string, CommittedService] => {
    const gone = there.some((volume) => Object.hasOwn(service.spec.volumes, volume));
    return [name, gone ? { ...service, suspended: true } : service];
  });
  const { volumes, warnings } = withoutStandbys(commit, machine);
  const taken = here.flatMap(({ name, spec }): [string, WantedVolume][] => {
    const found = held.get(name);
    if (found === undefined) return [];
    const { machine: to, snapshot } = found;
    const left = withoutStandby(withoutStandby(spec, to), machine);
    return [[name, { spec: left, source: { kind: "standby", machine: to, snapshot } }]];
  });
  return wishOf(
    {
      ...present,
      services: Object.fromEntries(services),
      dropped: there,
      volumes: { ...volumes, ...Object.fromEntries(taken) },
    },
    { refusals, warnings },
  );
}

/** Volumes of other machines that have a standby on the one that goes. */
function withoutStandbys({ namespace, volumes }: Commit, machine: string) {
  const followed = volumes.filter(
    (volume) => volume.machine !== machine && volume.spec.standby?.machines.includes(machine),
  );
  const keep = { kind: "keep" as const };
  return {
    volumes: Object.fromEntries(
      followed.map(({ name, spec }): [string, WantedVolume] => [
        name,
        { spec: withoutStandby(spec, machine), source: keep },
      ]),
    ),
    warnings: followed.map(
      ({ name }) =>
        `${namespace}/${name} loses its standby on ${machine}; add another: ployzctl volume standby add ${namespace}/${name} --to MACHINE`,
    ),
  };
}

export const stillAnswers = (machine: string): Refusal => ({
  code: "machine_answers",
  message: `machine ${machine} answers: nothing of it has to be lost`,
  hint: `leave --force out: ployzctl machine rm ${machine}`,
  machine,
});

type Held = {
  readonly machine: string;
  readonly snapshot: { readonly name: string; readonly guid: string };
  /** RFC 3339. */
  readonly until: string;
};

/** The standby of a volume that holds most, on a machine that takes volumes. */
function newestStandby({ id, spec }: Volume, facts: ChangeFacts): Held | undefined {
  const found = (spec.standby?.machines ?? []).flatMap((machine): Held[] => {
    const there = facts.machines.find(({ record }) => record.id === machine);
    const copy = there?.observation?.volumes.find((one) => one.id === id && one.standby !== undefined);
    const newest = snapshotsOf(facts.standbys ?? new Map(), machine, id).findLast(
      ({ name }) => standbyOf(name) !== undefined,
    );
    if (copy === undefined || newest === undefined || there?.record.state !== "active") return [];
    return [{ machine, snapshot: { name: newest.name, guid: newest.guid }, until: newest.createdAt }];
  });
  return found.sort((left, right) => (left.until > right.until ? -1 : 1))[0];
}

const unconfirmed = (namespace: string, volume: string, machine: string, held?: Held): Refusal => ({
  code: "data_loss_unconfirmed",
  message:
    held === undefined
      ? `${namespace}/${volume} is on ${machine} only, and would be lost`
      : `${namespace}/${volume}: its standby on ${held.machine} holds everything written before ${held.until}; later writes would be lost`,
  hint: `bring ${machine} back; or give its data up: --lose ${namespace}/${volume}`,
  machine,
  details: { volume: `${namespace}/${volume}` },
});
