import { inputParser } from "../change/input.ts";
import type { Primitive, PrimitivePorts, StepDef } from "../engine/types.ts";
import type { Json } from "../model/json.ts";
import type { StoredContent } from "../participant/image-commands.ts";
import { type ImagePruneInput, Input } from "./input.ts";
import { type MachineUsage, observeUsage, silentMachines, unknownMachines } from "./usage.ts";

type Facts = {
  readonly found: readonly MachineUsage[];
  /** Revision of the fact about the last time. */
  readonly last: number;
};
type Kinds = {
  "image.prune": {
    args: { readonly machine: string; readonly all: boolean };
    out: { readonly removed: readonly string[]; readonly freedBytes: number; readonly waitsFor?: string };
  };
};

const KEY = "image-prune.cluster";
const SECOND = 1000;
/** A machine removes files, and layers in its pool. */
const PRUNE = 15 * 60 * SECOND;

const prune: StepDef<PrimitivePorts, Kinds["image.prune"]["args"], Kinds["image.prune"]["out"], Kinds> = {
  timeoutMs: () => PRUNE + 10 * SECOND,
  retryTransient: true,
  apply: ({ machine, all }, { call, signal }) =>
    call(machine, "image.prune", { all }, { timeoutMs: PRUNE, signal }),
};

/**
 * Removes images, unpacked layers and bundles that nothing needs: no commit within the retention, no instance, no prepared plan and no unfinished operation.
 * Each machine decides again at the moment of removing, since an operation may have begun meanwhile.
 */
export const imagePrune: Primitive<PrimitivePorts, ImagePruneInput, Facts, Kinds, Json> = {
  name: "image-prune",
  version: 1,
  parse: inputParser(Input),
  scope: () => ["image-prune"],
  async observe({ all, machines }, ports, signal) {
    const [found, fact] = await Promise.all([
      observeUsage({ ...(all === true && { all }), machines }, ports, signal),
      ports.store.facts.get(KEY),
    ]);
    return { found, last: fact?.revision ?? 0 };
  },
  plan({ all = false, machines }, { found }) {
    const refusals = unknownMachines(machines, found);
    if (refusals.length > 0) return { refusals };
    const expiredOn = found.map(({ machine, usage }) => ({
      machine,
      expired: (usage?.content ?? []).filter(({ expired }) => expired),
      freedBytes: usage?.expiredBytes ?? 0,
    }));
    const having = expiredOn.filter(({ expired, freedBytes }) => expired.length > 0 || freedBytes > 0);
    return {
      basis: [],
      prepare: [],
      settle: having.map(({ machine, expired }) => ({
        id: `prune@${machine}`,
        kind: "image.prune",
        args: { machine, all },
        machine,
        title: `remove ${counted(expired)} on ${machine}`,
        needs: [],
      })),
      summary: {
        kind: "image-prune",
        machines: having.map(({ machine, expired, freedBytes }) => ({
          ...{ machine, freedBytes },
          removed: expired.map(shownContent),
        })),
      },
      changes: having.length > 0,
      warnings: [
        ...silentMachines(found),
        ...found.flatMap(({ machine, usage }) =>
          usage?.waitsFor === undefined
            ? []
            : [`machine ${machine} keeps all: ${usage.waitsFor}; run the same command again`],
        ),
      ],
    };
  },
  steps: { "image.prune": prune },
  commit: (_input, { last }, _plan, { operation, at, by }) => ({
    kind: "fact",
    key: KEY,
    value: { operation, at, by },
    expected: last,
  }),
  result: (_input, { settle }, { output }) => ({
    kind: "image-prune",
    machines: settle.map(({ id, machine }) => {
      const done = output(id, "image.prune");
      return { machine: machine ?? "", freedBytes: done?.freedBytes ?? 0, removed: done?.removed ?? [] };
    }),
  }),
};

/** A name, else the beginning of the digest. */
const shownContent = ({ kind, names, digest }: StoredContent): string =>
  names[0] ?? `${kind} ${digest.slice(0, "sha256:".length + 12)}`;

function counted(expired: readonly StoredContent[]): string {
  const count = (kind: StoredContent["kind"]) => {
    const of = expired.filter((one) => one.kind === kind).length;
    return of === 0 ? [] : [`${of} ${kind}${of === 1 ? "" : "s"}`];
  };
  return [...count("image"), ...count("bundle")].join(" and ") || "leftover parts";
}
