import { inputParser } from "../change/input.ts";
import { observeMembers } from "../change/observe/cluster.ts";
import type { Found, MachineFact } from "../change/observe/facts.ts";
import { findImage } from "../change/observe/images.ts";
import { missingImage } from "../change/observe/missing.ts";
import { steps } from "../change/steps/instances.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { PlannedStep, Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import { type ImageDistributeInput, Input } from "./input.ts";

type Facts = {
  readonly members: readonly MachineFact[];
  readonly found: Found;
  /** Revision of the fact about the last time. */
  readonly last: number;
};
type Kinds = Pick<ChangeKinds, "image.ensure">;

const keyOf = ({ ref }: ImageDistributeInput) =>
  `image-distribute.${ref.replace(/[^A-Za-z0-9_-]/g, "_")}` as const;

/**
 * Gives machines an image before they need it: from each other, only the parts that they lack, or from its registry. A machine that has got a part is a
 * source of it for the others; of an image that only the registry has, one machine gets it from there.
 */
export const imageDistribute: Primitive<PrimitivePorts, ImageDistributeInput, Facts, Kinds, Json> = {
  name: "image-distribute",
  version: 1,
  parse: inputParser(Input),
  scope: (input) => [keyOf(input)],
  async observe(input, ports, signal) {
    const [members, fact] = await Promise.all([
      observeMembers([], ports, signal),
      ports.store.facts.get(keyOf(input)),
    ]);
    const hosts = members.flatMap(({ record, observation }) =>
      observation === undefined ? [] : [record.id],
    );
    // The registry is queried by a machine that is to get it.
    const ordered = [...hosts].sort((a, b) => Number(isTarget(input, b)) - Number(isTarget(input, a)));
    const found = await findImage(input.ref, ordered, {
      ...{ machines: ports.machines, signal },
      pull: input.pull ?? "never",
      silent: members.flatMap(({ record, observation }) => (observation === undefined ? [record.id] : [])),
    });
    return { members, found, last: fact?.revision ?? 0 };
  },
  plan(input, { members, found }) {
    const targets =
      input.machines ??
      members.filter(({ record }) => record.state === "active").map(({ record }) => record.id);
    const refusals = [...new Set(targets)].flatMap((id) => unfit(id, members));
    if (found.digest === undefined || found.holders.length === 0)
      refusals.push(missingImage("image", input.ref, found));
    if (refusals.length > 0 || found.digest === undefined) return { refusals };
    const { digest } = found;
    const wanted = [...new Set(targets)].sort();
    const lacking = found.registry === true ? wanted : wanted.filter((id) => !found.holders.includes(id));
    const prepare = (lacking.length === 0 ? [] : wanted).map((machine, index) =>
      step(machine, index, { ...input, digest, found, wanted }),
    );
    return {
      basis: [],
      prepare,
      settle: [],
      summary: { kind: "image-distribute", ref: input.ref, digest, machines: wanted, lacking },
      changes: lacking.length > 0,
      warnings: found.warning === undefined ? [] : [found.warning],
    };
  },
  steps: { "image.ensure": steps["image.ensure"] },
  commit: (input, { last }, _plan, { operation, at, by }) => ({
    kind: "fact",
    key: keyOf(input),
    value: { operation, at, by },
    expected: last,
  }),
  result: (_input, { summary, prepare }, { output }) => ({
    ...(summary as { [field: string]: Json }),
    transferredBytes: prepare.reduce(
      (sum, { id }) => sum + (output(id) as Kinds["image.ensure"]["out"]).transferredBytes,
      0,
    ),
  }),
};

const isTarget = ({ machines }: ImageDistributeInput, id: string): boolean =>
  machines === undefined || machines.includes(id);

/** Each target begins with another holder, and knows the other targets as sources, also of what they have not got whole. */
function step(
  machine: string,
  index: number,
  {
    ref,
    digest,
    found,
    wanted,
  }: {
    readonly ref: string;
    readonly digest: string;
    readonly found: Found;
    readonly wanted: readonly string[];
  },
): PlannedStep<Kinds> {
  const [first = ""] = wanted;
  const alone = found.registry === true && machine === first;
  const holders = found.registry === true ? [first] : found.holders;
  const others = holders.filter((id) => id !== machine);
  const turn = others.length === 0 ? 0 : index % others.length;
  const together = wanted.filter((id) => !holders.includes(id));
  return {
    id: `image@${machine}`,
    kind: "image.ensure",
    args: {
      ...{ machine, ref, digest },
      sources: alone ? [] : [...others.slice(turn), ...others.slice(0, turn)],
      ...(found.at !== undefined && { at: found.at }),
      ...(together.length > 1 && together.includes(machine) && { together }),
    },
    machine,
    title: `image ${ref} on ${machine}`,
    needs: found.registry === true && !alone ? [`image@${first}`] : [],
  };
}

function unfit(id: string, members: readonly MachineFact[]): readonly Refusal[] {
  const member = members.find(({ record }) => record.id === id);
  if (member === undefined)
    return [
      {
        code: "no_such_machine",
        message: `machine ${id} does not exist`,
        hint: "ployzctl machine ls",
        machine: id,
      },
    ];
  if (member.observation !== undefined) return [];
  return [
    {
      code: "machine_unreachable",
      message: `machine ${id} does not answer: ${member.error?.message ?? "no answer"}`,
      hint: "bring it back, or name the other machines with --to",
      machine: id,
    },
  ];
}
