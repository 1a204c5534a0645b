import { asItIs, noNamespace, wishOf } from "../change/decide/as-it-is.ts";
import type { WantedVolume, Wish } from "../change/decide/desired.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import type { Refusal } from "../engine/types.ts";
import type { Commit, CommittedService } from "../model/commit.ts";
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
    return to === undefined
      ? []
      : [[name, { spec, source: { kind: "move", machine: to, maxRounds: MAX_ROUNDS } }]];
  });
  return wishOf({ ...present, volumes: Object.fromEntries(volumes) }, { refusals });
}

/** Volumes that were there leave the namespace, and what ran on them stays in it without instances. */
function withoutLost(
  { namespace, machine, lose = [] }: EvacuateInput,
  commit: Commit,
  present: Wish["desired"],
  facts: ChangeFacts,
): Wish {
  const there = commit.volumes.filter((volume) => volume.machine === machine).map(({ name }) => name);
  const answers = facts.machines.some(({ record, lost }) => record.id === machine && !lost);
  const refusals = answers
    ? [stillAnswers(machine)]
    : there.filter((name) => !lose.includes(name)).map((name) => unconfirmed(namespace, name, machine));
  const services = Object.entries(commit.services).map(([name, service]): [string, CommittedService] => {
    const gone = there.some((volume) => Object.hasOwn(service.spec.volumes, volume));
    return [name, gone ? { ...service, suspended: true } : service];
  });
  return wishOf({ ...present, services: Object.fromEntries(services), dropped: there }, { refusals });
}

export const stillAnswers = (machine: string): Refusal => ({
  code: "machine_answers",
  message: `machine ${machine} answers: nothing of it has to be lost`,
  hint: `leave --force out: ployzctl machine rm ${machine}`,
  machine,
});

const unconfirmed = (namespace: string, volume: string, machine: string): Refusal => ({
  code: "data_loss_unconfirmed",
  message: `${namespace}/${volume} is on ${machine} only, and would be lost`,
  hint: `bring ${machine} back; or give its data up: --lose ${namespace}/${volume}`,
  machine,
  details: { volume: `${namespace}/${volume}` },
});
