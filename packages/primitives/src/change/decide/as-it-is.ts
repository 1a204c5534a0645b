import type { Refusal } from "../../engine/types.ts";
import type { CommittedService } from "../../model/commit.ts";
import { own } from "../../model/own.ts";
import { unknownName } from "../../model/unknown-name.ts";
import type { ChangeFacts, Head } from "../observe/facts.ts";
import { DEFAULT_HOLD_MS, type Desired, type Wish } from "./desired.ts";

/** The present state, as the base of a change that changes little of it. */
export function asItIs(namespace: string, head: Head | undefined): Desired {
  const { services = {}, jobs = {} } = head?.commit ?? {};
  return {
    namespace,
    services,
    jobs,
    volumes: {},
    dropped: [],
    jobsRun: false,
    pins: {},
    holdMs: DEFAULT_HOLD_MS,
    ...(head?.commit.removed && { removed: true }),
    ...(head?.commit.allowRoutesFrom && { allowRoutesFrom: head.commit.allowRoutesFrom }),
    ...branchOf(head),
  };
}

/** A branch stays a branch after any change. */
export function branchOf(head: Head | undefined): Pick<Desired, "lineage" | "branchedFrom"> {
  const { lineage, branchedFrom } = head?.commit ?? {};
  return {
    ...(lineage?.kind === "branch" && { lineage }),
    ...(branchedFrom !== undefined && { branchedFrom }),
  };
}

/** Services of a new state that an operator has stopped, or put into maintenance, stay so. */
export function stayAsOrdered(
  services: Readonly<Record<string, CommittedService>>,
  head: Head | undefined,
): Pick<Wish, "warnings"> & Pick<Desired, "services"> {
  const before = (name: string) => own(head?.commit.services, name);
  const namespace = head?.commit.namespace ?? "";
  const ordered = Object.entries(services).map(([name, one]): [string, CommittedService] => [
    name,
    {
      ...one,
      ...(before(name)?.stopped && { stopped: true }),
      ...(before(name)?.maintenance && { maintenance: true }),
    },
  ]);
  return {
    services: Object.fromEntries(ordered),
    warnings: ordered.flatMap(([name, { stopped, maintenance }]) => [
      ...(stopped ? [staysStopped(namespace, name)] : []),
      ...(maintenance ? [staysInMaintenance(namespace, name)] : []),
    ]),
  };
}

const staysInMaintenance = (namespace: string, service: string): string =>
  `routes of ${namespace}/${service} stay in maintenance; end it: ployzctl route maintenance ${namespace}/${service} off`;

export const staysStopped = (namespace: string, service: string): string =>
  `${namespace}/${service} is stopped, and stays stopped; start it: ployzctl start ${namespace}/${service}`;

export function wishOf(desired: Desired, more: Partial<Omit<Wish, "desired">> = {}): Wish {
  return { desired, refusals: [], warnings: [], basis: [], unresolved: new Set(), ...more };
}

/** The head of a namespace that exists: committed and not removed. */
export function liveHead(head: Head | undefined): Head | undefined {
  return head?.commit.removed ? undefined : head;
}

export function sourceHead(namespace: string, facts: ChangeFacts): Head | undefined {
  return liveHead(
    [...facts.others, ...(facts.head ? [facts.head] : [])].find(
      ({ commit }) => commit.namespace === namespace,
    ),
  );
}

export function noNamespace(namespace: string, facts: ChangeFacts): Refusal {
  const known = facts.others.flatMap(({ commit }) => (commit.removed ? [] : [commit.namespace]));
  return unknownName("namespace", namespace, known);
}

export function noService(namespace: string, service: string, known: readonly string[]): Refusal {
  return unknownName("service", service, known, namespace);
}

export function noVolume(namespace: string, volume: string, head: Head | undefined): Refusal {
  const known = (head?.commit.volumes ?? []).map(({ name }) => name);
  return unknownName("volume", volume, known, namespace);
}

/** The plan is valid only for this revision of the source. */
export const restsOn = (head: Head): Wish["basis"] => [
  { key: `commit.${head.commit.namespace}`, revision: head.revision },
];
