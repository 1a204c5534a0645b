import type {
  AccessEvent,
  ClusterEvent,
  ClusterStatus,
  InstanceList,
  LogEvent,
  MachineRow,
  OperationDetail,
  OperationSummary,
  SecretList,
} from "@ployz/primitives/client";
import type { WarningCode } from "../../warnings/codes.ts";
import type { Grant } from "./grant.ts";

/** Scopes that name no namespace: hosts and ports of routes. */
const ROUTES = /^(route|listen)\./;
/** Scopes of a namespace: `deploy.prod`, `job.prod.nightly`, `exec.prod/web.1`. */
const OF_NAMESPACE =
  /^(?:deploy|backup|backup-verify|standby|snapshots|job|exec|run)\.([a-z0-9-]+)(?:[./]|$)/;

/** Whether an operation is the caller's own, or concerns namespaces of its token alone. */
export function seesOperation({ caller, covers }: Grant, { by, scope }: OperationSummary): boolean {
  if (by === caller) return true;
  const named = scope.filter((one) => !ROUTES.test(one)).map((one) => OF_NAMESPACE.exec(one)?.[1]);
  return named.length > 0 && named.every((one) => one !== undefined && covers(one));
}

export const isOwn = ({ caller }: Grant, { summary }: OperationDetail): boolean => summary.by === caller;

/** The rows of namespaces of the token. */
export const mine = <T extends { readonly namespace: string }>(
  rows: readonly T[],
  { covers }: Grant,
): readonly T[] => rows.filter(({ namespace }) => covers(namespace));

/** Names that begin with a namespace of the token: `pr-1/web`. */
export const namesOf = (names: readonly string[], { covers }: Grant): readonly string[] =>
  names.filter((name) => covers(/^[a-z0-9-]*/.exec(name)?.[0] ?? ""));

/** Conditions whose `about` begins with a namespace. */
const ABOUT_NAMESPACES: ReadonlySet<string> = new Set<WarningCode>([
  ...(["service_suspended", "namespace_degraded", "restart_loop", "out_of_memory"] as const),
  ...(["instance_unhealthy", "volume_unknown", "volume_missing", "volume_closed"] as const),
  ...(["standby_behind", "backup_old", "backup_late", "schedule_failed", "schedule_missed"] as const),
]);

type Warnings = ClusterStatus["warnings"];
const warningsOf = (warnings: Warnings, grant: Grant): Warnings =>
  warnings.filter(
    ({ code, about }) =>
      code !== undefined &&
      about !== undefined &&
      ABOUT_NAMESPACES.has(code) &&
      namesOf([about], grant).length > 0,
  );

export function instancesShown(list: InstanceList, grant: Grant): InstanceList {
  const { runs, stopped, standbys, warnings } = list;
  return {
    ...{ kind: "instances", instances: mine(list.instances, grant), unreachable: list.unreachable },
    ...(runs && { runs: mine(runs, grant) }),
    ...(stopped && { stopped: namesOf(stopped, grant) }),
    ...(standbys && { standbys: mine(standbys, grant) }),
    ...(warnings && { warnings: warningsOf(warnings, grant) }),
  };
}

/** Without addresses, keys, and what it observes of other namespaces. */
function machineShown(
  { record, lifecycle, reachable, error, observation }: MachineRow,
  namespaces: ClusterStatus["namespaces"],
  grant: Grant,
): MachineRow {
  const count = (of: "instances" | "volumes") =>
    namespaces
      .flatMap(({ commit }) => commit[of] as readonly { readonly machine: string }[])
      .filter(({ machine }) => machine === record.id).length;
  return {
    record: { ...record, endpoints: [], publicKey: "", nkey: "" },
    ...{ lifecycle, reachable, ...(error && { error }) },
    committed: { instances: count("instances"), volumes: count("volumes") },
    ...(observation && {
      observation: {
        ...{ machine: observation.machine, version: observation.version, arch: observation.arch },
        ...{ runtime: observation.runtime, runtimeVersion: observation.runtimeVersion },
        ...{ cpus: observation.cpus, memoryBytes: observation.memoryBytes, load1: observation.load1 },
        ...{ memoryFreeBytes: observation.memoryFreeBytes, diskFreeBytes: observation.diskFreeBytes },
        ...{ draining: observation.draining, problems: [] },
        volumes: mine(observation.volumes, grant),
        instances: mine(observation.instances, grant),
      },
    }),
  };
}

export function statusShown(status: ClusterStatus, grant: Grant): ClusterStatus {
  const { cluster, self, machines, operations, volumes, store, warnings } = status;
  const namespaces = mine(status.namespaces, grant);
  return {
    kind: "status",
    ...(cluster && { cluster }),
    ...(self !== undefined && { self }),
    machines: machines.map((row) => machineShown(row, namespaces, grant)),
    namespaces,
    operations: operations.filter((one) => seesOperation(grant, one)),
    ...(volumes && { volumes: mine(volumes, grant) }),
    store,
    warnings: warningsOf(warnings, grant),
  };
}

export const secretsShown = ({ kind, secrets }: SecretList, grant: Grant): SecretList => ({
  kind,
  secrets: mine(secrets, grant).map((row) => ({ ...row, users: namesOf(row.users, grant) })),
});

/** Without events of machines, and without warnings, which name no namespace. */
export function eventShown(event: ClusterEvent, grant: Grant): ClusterEvent | undefined {
  switch (event.type) {
    case "following":
      return event;
    case "commit":
    case "instance":
      return grant.covers(event.namespace) ? event : undefined;
    case "operation":
      return seesOperation(grant, event.operation) ? event : undefined;
    default:
      return undefined;
  }
}

export const logShown = (event: LogEvent, { covers }: Grant): LogEvent | undefined =>
  event.type === "gap" || covers(event.namespace) ? event : undefined;

export const requestShown = (event: AccessEvent, { covers }: Grant): AccessEvent | undefined =>
  event.type === "gap" || covers(event.namespace ?? "") ? event : undefined;
