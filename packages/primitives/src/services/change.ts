import { asItIs, liveHead, noNamespace, noService, wishOf } from "../change/decide/as-it-is.ts";
import type { Desired, Wish } from "../change/decide/desired.ts";
import { findContent, observeCluster, specsOf } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import { type Change, changePrimitive } from "../change/primitive.ts";
import type { Commit, CommittedService } from "../model/commit.ts";
import type { Json } from "../model/json.ts";

type Services = Readonly<Record<string, CommittedService>>;

/** A change of committed services that a namespace has, by name: the rest of it stays as it is. */
export function serviceChange<In extends Json & { readonly namespace: string }>(change: {
  readonly name: string;
  readonly parse: Change<In, ChangeFacts, In>["parse"];
  names(input: In, commit: Commit): readonly string[];
  /** `services`: the named ones, which all exist. */
  wish(
    input: In,
    services: Services,
    commit: Commit,
  ): Pick<Wish, "refusals" | "warnings"> &
    Partial<Desired> & {
      /** Services that leave the namespace. */
      readonly removes?: readonly string[];
    };
}) {
  return changePrimitive<In, ChangeFacts>({
    name: change.name,
    version: 1,
    parse: change.parse,
    scope: ({ namespace }) => [`deploy.${namespace}`],
    async observe({ namespace }, ports, signal) {
      const cluster = await observeCluster([namespace], ports, signal);
      const specs = cluster.head === undefined ? [] : specsOf(cluster.head.commit);
      return { ...cluster, content: await findContent(specs, cluster.machines, ports, signal) };
    },
    wish(input, facts) {
      const { namespace } = input;
      const head = liveHead(facts.head);
      const present = asItIs(namespace, facts.head);
      if (head === undefined) return wishOf(present, { refusals: [noNamespace(namespace, facts)] });
      const names = change.names(input, head.commit);
      const known = Object.keys(present.services);
      const refusals = names
        .filter((name) => !known.includes(name))
        .map((name) => noService(namespace, name, known));
      if (refusals.length > 0) return wishOf(present, { refusals });
      const named = Object.entries(present.services).filter(([name]) => names.includes(name));
      const {
        refusals: against,
        warnings,
        services,
        removes = [],
        ...desired
      } = change.wish(input, Object.fromEntries(named), head.commit);
      const next = Object.entries({ ...present.services, ...services }).filter(
        ([name]) => !removes.includes(name),
      );
      return wishOf(
        { ...present, ...desired, services: Object.fromEntries(next) },
        { refusals: against, warnings },
      );
    },
  });
}
