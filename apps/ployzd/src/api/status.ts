import type { ErrorBody } from "@ployz/errors";
import { errorBody } from "@ployz/errors";
import type { ClusterStatus, InstanceRow, NamespaceRow } from "@ployz/primitives/client";
import type { Commands } from "@ployz/primitives/protocol";
import type { Member } from "../daemon/member-parts.ts";
import { warningsOf } from "../warnings/cluster.ts";
import { warning } from "../warnings/codes.ts";
import { copyWarnings } from "../warnings/copies.ts";
import { leaderWarnings } from "../warnings/leader.ts";
import { operationWarnings } from "../warnings/operations.ts";
import { backupAges, backupFacts, backupWarnings } from "./backup-ages.ts";
import { certificateList, certificateWarnings } from "./certificates.ts";
import { copiesOf } from "./copies.ts";
import { scheduleRows } from "./schedules.ts";
import { seenBy, standbyRecords, standbyRows, standbyWarnings } from "./standby-rows.ts";
import { announcedBy, instanceList, machineList } from "./views.ts";
import { volumeList } from "./volumes.ts";
import { withoutValues } from "./without-values.ts";

/** The parts of a member that its status is made from. */
export type StatusSource = Pick<
  Member,
  "membership" | "heads" | "machines" | "store" | "storeConnected" | "removed" | "alerts"
> & {
  readonly records: Pick<Member["records"], "list">;
  readonly runner: Pick<Member["runner"], "notable">;
  readonly secrets: Pick<Member["secrets"], "held">;
  readonly substrate: Pick<Member["substrate"], "wantsIsolation"> & {
    readonly wireguard: Pick<Member["substrate"]["wireguard"], "status">;
  };
};

export const clusterStatus = async (member: Member, signal: AbortSignal): Promise<ClusterStatus> =>
  (await lookAtCluster(member, signal)).status;

/** The status, and the instances that it counts. */
export async function lookAtCluster(
  member: StatusSource,
  signal: AbortSignal,
  args: Commands["machine.observe"]["args"] = {},
): Promise<{ readonly status: ClusterStatus; readonly instances: readonly InstanceRow[] }> {
  const { cluster, machine, machines: records } = member.membership();
  const unreachable: ErrorBody[] = [];
  const [{ machines }, operations] = await Promise.all([
    machineList(member, signal, args),
    member.runner.notable().catch((error: unknown) => {
      unreachable.push(errorBody(error));
      return [];
    }),
  ]);
  // A removed namespace exists only in its history.
  const heads = member.heads().filter(({ commit }) => !commit.removed);
  const { instances } = instanceList({ heads, announced: await announcedBy(member) }, machines, undefined);
  const namespaces = heads.map(({ commit, revision }): NamespaceRow => {
    const mine = instances.filter((row) => row.committed && row.namespace === commit.namespace);
    return {
      namespace: commit.namespace,
      revision,
      commit: withoutValues(commit),
      wanted: mine.length,
      running: mine.filter((row) => row.state === "running").length,
      routes: commit.routes,
    };
  });
  const { volumes } = volumeList(heads, machines, undefined);
  const commits = heads.map(({ commit }) => commit);
  const stores = records.filter(({ store }) => store).map(({ id }) => id);
  const open = operations.filter(
    ({ state }) => state === "running" || state === "interrupted" || state === "cleanup-owed",
  );
  const unread = await member.records.list().catch(() => []);
  const storeAnswers =
    member.storeConnected() && !unreachable.some(({ code }) => code === "store_unavailable");
  const now = Date.now();
  const [schedules, received, known] = await Promise.all([
    scheduleRows(member).catch(() => []), // the store's silence is a warning already
    standbyRecords(member).catch(() => new Map()),
    backupFacts(member).catch(() => undefined),
  ]);
  const seen = seenBy(machines);
  const standbys = standbyRows(commits, { seen, records: received, now });
  const ages = known === undefined ? [] : backupAges(commits, known, now);
  const copies = known && copiesOf(commits, { standbys, ages });
  const warnings = [
    ...warningsOf({
      ...{ machines, instances, namespaces, volumes, open, storeAnswers },
      ...{ self: machine.id, removed: member.removed(), unreadable: unread, now },
      isolated: cluster.isolation === "on" || !member.substrate.wantsIsolation,
    }),
    ...operationWarnings({ operations, schedules }, now),
    ...standbyWarnings(
      standbys,
      (of) => Date.parse(commits.find(({ namespace }) => namespace === of)?.at ?? ""),
      now,
    ),
    ...copyWarnings(copies ?? []),
    ...backupWarnings(ages, now),
    ...leaderWarnings(member.alerts.state(), now),
    ...certificateWarnings(
      await certificateList(member).then(
        (list) => list.certificates,
        () => [],
      ),
      now,
    ),
    ...unreachable
      .filter(({ code }) => code !== "store_unavailable")
      .map(({ code, message, hint = "ployzctl doctor" }) => warning("look_failed", code, { message, hint })),
  ];
  const status: ClusterStatus = {
    kind: "status",
    cluster,
    self: machine.id,
    machines,
    namespaces,
    operations: operations.slice(0, 10),
    ...(copies && { volumes: copies }),
    store: {
      state: storeAnswers ? "connected" : "unreachable",
      machines: stores,
      generation: cluster.generation,
    },
    warnings,
  };
  return { status, instances };
}
