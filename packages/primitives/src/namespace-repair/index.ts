import { inputParser } from "../change/input.ts";
import type { Head } from "../change/observe/facts.ts";
import type { Plan, Primitive, PrimitivePorts, Refusal } from "../engine/types.ts";
import { emptyCommit } from "../model/commit.ts";
import type { Json } from "../model/json.ts";
import { unknownName } from "../model/unknown-name.ts";
import { headFault, type Unreadable } from "../records/store.ts";
import { Input, type NamespaceRepairInput } from "./input.ts";

/** How many commits are searched for the last readable one. */
const MAX_HISTORY = 10_000;

type Facts = {
  /** Of the last commit; absent: it can be read, or there is none. */
  readonly fault?: Unreadable;
  /** The last commit that can be read. */
  readonly good?: Head;
};

/**
 * Commits the last readable state of a namespace again, over a last commit that cannot be read. Instances do not change: machines,
 * gateways and DNS have kept that state. A namespace without any readable commit becomes a removed one.
 */
export const namespaceRepair: Primitive<
  PrimitivePorts,
  NamespaceRepairInput,
  Facts,
  Record<never, never>,
  Json
> = {
  name: "namespace-repair",
  version: 1,
  parse: inputParser(Input),
  scope: ({ namespace }) => [`deploy.${namespace}`],
  async observe({ namespace }, { store: { commits } }) {
    const [fault, [good]] = await Promise.all([
      headFault(commits, namespace),
      commits.history(namespace, MAX_HISTORY),
    ]);
    return {
      ...(fault && { fault }),
      ...(good && { good: { commit: good.value, revision: good.revision } }),
    };
  },
  plan(input, { fault, good }) {
    const { namespace } = input;
    if (fault === undefined)
      return good === undefined
        ? { refusals: [unknownName("namespace", namespace, [])] }
        : planOf(input, {}, false);
    if (fault.why === "newer" && input.replaceNewer !== true) return { refusals: [newer(namespace, fault)] };
    const summary = {
      unreadable: fault.revision,
      why: fault.detail,
      ...(good && { restored: good.revision }),
    };
    const lost = `no earlier commit of ${namespace} can be read: it becomes a removed namespace`;
    return planOf(input, summary, true, good === undefined ? [lost] : []);
  },
  steps: {},
  commit({ namespace }, { fault, good }, _plan, { operation, at, by }) {
    const made = { namespace, operation, primitive: "namespace-repair", at, by };
    const expected = fault?.revision ?? 0;
    if (good === undefined)
      return { kind: "namespace", commit: { ...emptyCommit(made), removed: true }, expected };
    // Its snapshots belong to the operation that made it.
    const { before: _, ...state } = good.commit;
    const lineage = { kind: "rollback" as const, from: namespace, revision: good.revision };
    return { kind: "namespace", commit: { ...state, ...made, lineage }, expected };
  },
  result: (_input, { summary, warnings }, { revision }) => ({ ...summary, revision, warnings }),
};

const planOf = (
  { namespace }: NamespaceRepairInput,
  summary: Readonly<Record<string, Json>>,
  changes: boolean,
  warnings: readonly string[] = [],
): Plan<Record<never, never>> => ({
  // The commit itself compares the revision: the engine cannot read the last one to compare it here.
  ...{ basis: [], prepare: [], settle: [], changes, warnings },
  summary: { kind: "namespace-repair", namespace, ...summary },
});

const newer = (namespace: string, { revision, detail }: Unreadable): Refusal => ({
  code: "record_unreadable",
  message: `the last commit of ${namespace}, revision ${revision}, was written by a newer version of Ployz: ${detail}`,
  hint: `update the machines: ployzctl machine update; or replace it: ployzctl namespace repair ${namespace} --replace-newer`,
});
