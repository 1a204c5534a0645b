import { inputParser } from "../change/input.ts";
import type { Primitive, PrimitivePorts, Refusal, StepDef } from "../engine/types.ts";
import { type MachineUsage, observeUsage, silentMachines, unknownMachines } from "../image-prune/usage.ts";
import type { Json } from "../model/json.ts";
import type { StoredContent } from "../participant/image-commands.ts";
import { type ImageRmInput, Input } from "./input.ts";

type Facts = {
  readonly found: readonly MachineUsage[];
  /** Revision of the fact about the last time. */
  readonly last: number;
};
type Kinds = {
  "image.remove": {
    args: { readonly machine: string; readonly ref: string; readonly digest: string };
    out: { readonly removed: boolean; readonly freedBytes: number };
  };
};

const SECOND = 1000;
const REMOVE = 5 * 60 * SECOND;

const remove: StepDef<PrimitivePorts, Kinds["image.remove"]["args"], Kinds["image.remove"]["out"], Kinds> = {
  timeoutMs: () => REMOVE + 10 * SECOND,
  retryTransient: true,
  apply: ({ machine, ...what }, { call, signal }) =>
    call(machine, "image.remove", what, { timeoutMs: REMOVE, signal }),
};

const keyOf = ({ ref }: ImageRmInput) => `image-rm.${ref.replace(/[^A-Za-z0-9_-]/g, "_")}` as const;

/**
 * Removes a name of an image from machines, and with its last name the image; a digest means all of its names. An image that a commit within the retention, an
 * instance, a prepared plan or an unfinished operation needs is refused.
 */
export const imageRm: Primitive<PrimitivePorts, ImageRmInput, Facts, Kinds, Json> = {
  name: "image-rm",
  version: 1,
  parse: inputParser(Input),
  scope: (input) => [keyOf(input)],
  async observe(input, ports, signal) {
    const [found, fact] = await Promise.all([
      observeUsage({ ref: input.ref, machines: input.machines }, ports, signal),
      ports.store.facts.get(keyOf(input)),
    ]);
    return { found, last: fact?.revision ?? 0 };
  },
  plan({ ref, machines }, { found, last }) {
    const images = found.flatMap(({ machine, usage }) =>
      (usage?.content ?? []).map((content) => ({ machine, content, waitsFor: usage?.waitsFor })),
    );
    const refusals = [...unknownMachines(machines, found), ...refuse({ ref, images, found, last })];
    if (refusals.length > 0) return { refusals };
    return {
      basis: [],
      prepare: [],
      settle: images.map(({ machine, content: { digest } }) => ({
        id: `remove ${digest}@${machine}`,
        kind: "image.remove",
        args: { machine, ref, digest },
        machine,
        title: `remove ${ref} on ${machine}`,
        needs: [],
      })),
      summary: {
        kind: "image-rm",
        ref,
        images: images.map(({ machine, content: { digest } }) => ({ machine, digest })),
      },
      changes: images.length > 0,
      warnings: silentMachines(found),
    };
  },
  steps: { "image.remove": remove },
  commit: (input, { last }, _plan, { operation, at, by }) => ({
    kind: "fact",
    key: keyOf(input),
    value: { operation, at, by },
    expected: last,
  }),
  result: (_input, { summary, settle }, { output }) => ({
    ...(summary as { [field: string]: Json }),
    freedBytes: settle.reduce((sum, { id }) => sum + (output(id, "image.remove")?.freedBytes ?? 0), 0),
  }),
};

type Found = {
  readonly machine: string;
  readonly content: StoredContent;
  readonly waitsFor: string | undefined;
};

function refuse({
  ref,
  images,
  found,
  last,
}: { readonly ref: string; readonly images: readonly Found[] } & Facts): readonly Refusal[] {
  if (images.length === 0) {
    const silent = silentMachines(found);
    if (last > 0 && silent.length === 0) return []; // it was removed before
    return [
      {
        code: silent.length > 0 ? "machine_unreachable" : "image_missing",
        message: `${ref}: not found on any machine${silent.length > 0 ? ` that answers; ${silent.join("; ")}` : ""}`,
        hint: "ployzctl image ls",
      },
    ];
  }
  const digests = [...new Set(images.map(({ content }) => content.digest))];
  if (digests.length > 1 && ref.startsWith("sha256:"))
    return [
      {
        code: "image_ambiguous",
        message: `${ref}: ${digests.length} images begin with it`,
        hint: "use more characters: ployzctl image ls --json",
      },
    ];
  const used = images.filter(({ content }) => isLast(ref, content) && content.keptBy.length > 0);
  const users = [...new Set(used.flatMap(({ content }) => content.keptBy))];
  if (users.length > 0)
    return [
      {
        code: "image_in_use",
        message: `${ref}: ${users.slice(0, 5).join(", ")}${users.length > 5 ? ` and ${users.length - 5} more` : ""} ${users.length === 1 ? "needs" : "need"} it`,
        hint: "deploy another image first; commits within the retention keep theirs for a rollback",
        details: { users: [...users], machines: used.map(({ machine }) => machine) },
      },
    ];
  const busy = images.find(({ waitsFor }) => waitsFor !== undefined);
  if (busy === undefined) return [];
  return [
    {
      code: "scope_busy",
      message: `${ref}: it is not known whether something needs it: ${busy.waitsFor}`,
      hint: "run the same command again: ployzctl ops ls shows what runs",
    },
  ];
}

/** Whether the image goes with this name. */
const isLast = (ref: string, { names }: StoredContent): boolean =>
  ref.startsWith("sha256:") || ref.includes("@") || names.length <= 1;
