import { asItIs, liveHead, noNamespace, restsOn, sourceHead, wishOf } from "../change/decide/as-it-is.ts";
import { unknownMachine } from "../change/decide/refuse.ts";
import { findContent, observeCluster, specsOf } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { changePrimitive } from "../change/primitive.ts";
import type { Refusal } from "../engine/types.ts";
import type { CommittedRoute } from "../model/commit.ts";
import { type BranchInput, parseBranch } from "./input.ts";
import { branchedState } from "./state.ts";

/** Lets everyone in. */
const isOpen = (route: CommittedRoute): boolean =>
  route.kind === "http" && route.redirect === undefined && route.options?.basicAuth === undefined;

/**
 * A namespace forked from another: its services by digest, its volumes as clones of the source's as they are now (all of one machine at
 * the same instant) or fresh, its routes under names of their own. The branch's web finds the branch's db.
 */
export const branch = changePrimitive<BranchInput, ChangeFacts>({
  name: "branch",
  version: 1,
  parse: parseBranch,
  scope: ({ target, routes = {} }) => [
    `deploy.${target}`,
    ...Object.values(routes)
      .map((next) => (/^[0-9]+$/.test(next) ? `listen.${next}` : `route.${next.replace("*", "_any")}`))
      .sort(),
  ],
  async observe({ source, target }, ports, signal) {
    const cluster = await observeCluster([target, source], ports, signal);
    const from = sourceHead(source, { ...cluster, content: new Map() });
    const specs = from === undefined ? [] : specsOf(from.commit);
    return { ...cluster, content: await findContent(specs, cluster.machines, ports, signal) };
  },
  wish(input, facts) {
    const { source, target, machine } = input;
    const head = liveHead(facts.head);
    const present = asItIs(target, head);
    const from = sourceHead(source, facts);
    if (head !== undefined) {
      const { lineage, primitive } = head.commit;
      // The same command again: it has just been done.
      const same = primitive === "branch" && lineage?.from === source;
      const open = input.users === undefined ? undefined : head.commit.routes.find((route) => isOpen(route));
      if (same && open === undefined) return wishOf(present);
      const refusal: Refusal = {
        code: "namespace_exists",
        message: same
          ? `there is a branch ${target} already, and it asks for no password at ${open?.kind === "http" ? open.host : ""}`
          : `there is a namespace ${target} already`,
        hint: `choose another name, or remove it first: ployzctl namespace rm ${target}`,
      };
      return wishOf(present, { refusals: [refusal] });
    }
    if (from === undefined) return wishOf(present, { refusals: [noNamespace(source, facts)] });
    const unknown = machine === undefined ? undefined : unknownMachine("machine", machine, facts);
    const { refusals, warnings, ...state } = branchedState(input, from.commit);
    return wishOf(
      {
        ...{ ...present, ...state },
        lineage: { kind: "branch", from: source, revision: from.revision },
        branchedFrom: source,
      },
      {
        refusals: [...(unknown === undefined ? [] : [unknown]), ...refusals],
        warnings,
        basis: restsOn(from),
      },
    );
  },
});
