import { sameJson } from "../../engine/canonical.ts";
import type { Basis, Plan, Refusals } from "../../engine/types.ts";
import { instanceRevision } from "../../manifest/revision.ts";
import type { CommittedRoute, RouteSpec } from "../../model/commit.ts";
import { instanceId } from "../../model/ids.ts";
import { decide } from "../decide/decide.ts";
import type { Decision } from "../decide/decision.ts";
import { type Desired, isClone, type Wish } from "../decide/desired.ts";
import type { VolumeDecision } from "../decide/volumes.ts";
import type { ChangeFacts } from "../observe/facts.ts";
import type { ChangeKinds } from "../steps/kinds.ts";
import { snapshotName } from "../steps/volumes.ts";
import { settleSteps } from "./after-commit.ts";
import { ensureSteps, prepareSteps, volumesOf } from "./before-commit.ts";
import type { Candidate } from "./candidate.ts";
import { certificateSteps } from "./certificates.ts";
import { type ChangeSummary, type NextState, type NextVolume, summarise } from "./summary.ts";
import { nextVolumeId, type PendingSnapshot } from "./volumes.ts";

/**
 * From the decision to steps. Prepare: images and bundles everywhere first, then snapshots of the kept volumes, then, in the order of
 * `after`, each candidate is reserved, started and waited for. The commit flips all of them together. Settle: gateways and DNS
 * follow, then the old instances drain. Pure, and deterministic in its arguments; the summary holds the next state, so the commit
 * needs nothing else.
 */
export function planChange(
  kind: string,
  wish: Wish,
  facts: ChangeFacts,
  operation: string,
): Plan<ChangeKinds, ChangeSummary> | Refusals {
  const decision = decide(wish, facts);
  if ("refusals" in decision) return decision;
  const candidates = candidatesOf(decision, operation);
  const answering = facts.machines.filter(({ observation }) => observation !== undefined);
  const gateways = answering.map(({ record }) => record.id);
  const { holdMs } = wish.desired;
  const ensure = ensureSteps(candidates, facts);
  const prepared = prepareSteps(decision, candidates, ensure, { operation, holdMs, gateways, facts });
  const next = nextState(
    wish.desired,
    decision,
    candidates,
    prepared.volumes.before,
    operation,
    facts.head?.commit.routes,
  );
  const planned = new Set(candidates.map(({ id }) => id));
  const strays = decision.strays.filter(({ id }) => !planned.has(id));
  const changes = candidates.length > 0 || strays.length > 0 || differs(next, facts);
  return {
    basis: [...basisOf(decision, candidates, facts), ...wish.basis],
    prepare: changes ? [...certificateSteps(next.routes, facts), ...prepared.steps] : [],
    settle: changes ? settleSteps({ decision, candidates, strays, facts, prepared }) : [],
    summary: summarise(kind, decision, candidates, next, facts),
    changes,
    warnings: [
      ...decision.warnings,
      ...unreachable(facts),
      ...(changes ? prepared.volumes.unsaved : []).map(
        ({ name, machine }) =>
          `volume ${name} gets no snapshot, since ${machine} does not answer: rollback --volumes will not find its data as it is now`,
      ),
    ],
  };
}

function candidatesOf(decision: Decision, operation: string): readonly Candidate[] {
  const { namespace } = decision;
  const services = decision.services.flatMap(({ name, next, start }) =>
    start.flatMap(({ slot, machine, replaces }): Candidate[] =>
      next === undefined
        ? []
        : [
            {
              kind: "service",
              id: instanceId(namespace, name, slot, operation),
              name,
              slot,
              machine,
              spec: next.spec,
              revision: instanceRevision(next.spec),
              operation,
              volumes: volumesOf(next.spec, decision, operation),
              secrets: decision.secrets.of(next.spec),
              ...(replaces && { replaces }),
            },
          ],
    ),
  );
  const jobs = decision.jobs.flatMap(({ name, next, run }): Candidate[] =>
    run === undefined
      ? []
      : [
          {
            kind: "job",
            id: instanceId(namespace, name, 1, operation),
            name,
            slot: 1,
            machine: run.machine,
            spec: next.spec,
            revision: instanceRevision(next.spec),
            operation,
            volumes: {},
            secrets: decision.secrets.of(next.spec),
          },
        ],
  );
  return [...services, ...jobs];
}

/** The next commit without the addresses and guids, which the steps will supply. */
function nextState(
  desired: Desired,
  decision: Decision,
  candidates: readonly Candidate[],
  before: readonly PendingSnapshot[],
  operation: string,
  routes: readonly CommittedRoute[] = [],
): NextState {
  const services = decision.services.flatMap(({ name, next }) => (next ? [{ name, next }] : []));
  const { lineage, branchedFrom, allowRoutesFrom, removed } = desired;
  return {
    services: Object.fromEntries(services.map(({ name, next }) => [name, next])),
    jobs: Object.fromEntries(decision.jobs.map(({ name, next }) => [name, next])),
    keep: decision.services.flatMap(({ keep }) => keep),
    start: candidates.flatMap((candidate) => {
      if (candidate.kind === "job") return [];
      const { id, name, slot, machine, spec, revision, secrets } = candidate;
      const ids = Object.entries(candidate.volumes).map(([volume, mounted]) => [volume, mounted.id]);
      return [
        {
          ...{ id, service: name, slot, machine, ports: spec.ports, revision },
          ...(ids.length > 0 && { volumes: Object.fromEntries(ids) as Readonly<Record<string, string>> }),
          ...(Object.keys(secrets).length > 0 && { secrets }),
          reserve: `reserve ${name}.${slot}@${machine}`,
        },
      ];
    }),
    volumes: decision.volumes.map((volume) => nextVolume(decision.namespace, volume, operation)),
    before,
    routes: services.flatMap(({ name, next }) =>
      next.spec.routes.map(
        (route): CommittedRoute => ({ ...route, service: name, ...tookHost(route, routes, operation) }),
      ),
    ),
    ...(allowRoutesFrom !== undefined && { allowRoutesFrom }),
    ...(branchedFrom !== undefined && { branchedFrom }),
    ...(lineage && { lineage }),
    ...(removed && { removed }),
  };
}

/** A host that was routed before was taken then. */
function tookHost(
  route: RouteSpec,
  before: readonly CommittedRoute[],
  operation: string,
): Pick<CommittedRoute, "since"> {
  if (route.kind !== "http") return {};
  const same = before.find((one) => one.kind === "http" && one.host === route.host);
  const since = same === undefined ? operation : same.since;
  return { ...(since !== undefined && { since }) };
}

function nextVolume(namespace: string, decision: VolumeDecision, operation: string): NextVolume {
  const { name, machine, spec, previous } = decision;
  const id = nextVolumeId(namespace, decision, operation);
  const base = { name, id, machine, spec };
  const label = `${name}@${machine}`;
  switch (decision.action) {
    case "keep":
    case "configure":
      return { ...previous, ...base };
    case "create": {
      const { backup } = decision;
      return {
        ...base,
        ...(backup !== undefined && {
          origin: {
            ...{ namespace: backup.namespace, volume: backup.volume },
            ...{ snapshot: backup.snapshot, guid: backup.guid },
          },
        }),
        guidFrom: `volume ${label}`,
      };
    }
    case "copy": {
      const { from } = decision;
      const snapshot = from.snapshot?.name ?? snapshotName(operation);
      return {
        ...base,
        origin: {
          ...{ namespace: from.namespace, volume: from.volume, snapshot },
          ...(from.upload && from.snapshot && { guid: from.snapshot.guid }),
        },
        guidFrom: isClone(from, machine) ? `clone ${label}` : `admit ${label}`,
      };
    }
    case "takeover": {
      const { name: snapshot, guid } = decision.snapshot;
      return {
        ...base,
        ...(previous?.origin && { origin: previous.origin }),
        guidFrom: `takeover ${label}`,
        moved: { from: previous?.machine ?? "", snapshot, guid },
      };
    }
    case "move":
      return {
        ...base,
        ...(previous?.origin && { origin: previous.origin }),
        guidFrom: `admit ${label}`,
        moved: {
          from: previous?.machine ?? "",
          snapshot: snapshotName(operation),
          verifiedBy: `final ${label}`,
        },
      };
  }
}

function differs(next: NextState, facts: ChangeFacts): boolean {
  const head = facts.head?.commit;
  if (head === undefined) return true;
  const ids = (instances: readonly { readonly id: string }[]) => instances.map(({ id }) => id).sort();
  return !(
    sameJson(next.services, head.services) &&
    sameJson(next.jobs, head.jobs) &&
    sameJson(next.routes, head.routes) &&
    sameJson(next.volumes, head.volumes) &&
    sameJson(next.allowRoutesFrom ?? [], head.allowRoutesFrom ?? []) &&
    sameJson(ids([...next.keep, ...next.start]), ids(head.instances)) &&
    next.removed === head.removed
  );
}

/** The namespace's last commit, and the membership of every machine that gets something new. */
function basisOf(decision: Decision, candidates: readonly Candidate[], facts: ChangeFacts): readonly Basis[] {
  const touched = decision.volumes.filter(({ action }) => action !== "keep");
  const targets = new Set([...candidates, ...touched].map(({ machine }) => machine));
  return [
    { key: `commit.${decision.namespace}`, revision: facts.head?.revision ?? 0 },
    ...decision.secrets.basis(candidates.map(({ secrets }) => secrets)),
    ...facts.machines
      .filter(({ record }) => targets.has(record.id))
      .map(({ record, revision }) => ({ key: `fact.machine.${record.id}`, revision })),
  ];
}

function unreachable(facts: ChangeFacts): readonly string[] {
  return facts.machines.flatMap(({ record, error, lost }) =>
    error === undefined || lost
      ? []
      : [
          `machine ${record.id} does not answer (${error.message}); its gateway serves the last known state until it is back`,
        ],
  );
}
