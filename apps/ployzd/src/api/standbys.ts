import type { ScheduleRow, StandbyList, StandbyRow } from "@ployz/primitives/client";
import { LOOK, type Machines, standbyOf } from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import { needNamespace } from "./named.ts";
import type { ApiRoutes } from "./router.ts";
import { scheduleRows } from "./schedules.ts";
import { type Row, type Seen, seenBy, standbyRecords, standbyRows } from "./standby-rows.ts";
import { machineList } from "./views.ts";

export function standbyRoutes(daemon: Daemon): Pick<ApiRoutes["json"], "GET /v1/standbys"> {
  return {
    "GET /v1/standbys": async ({ query, signal }): Promise<StandbyList> => {
      const member = daemon.member();
      const { namespace } = query;
      if (namespace !== undefined) needNamespace(member.heads(), namespace);
      const heads = member
        .heads()
        .filter(({ commit }) => namespace === undefined || commit.namespace === namespace);
      const [{ machines }, records, schedules] = await Promise.all([
        machineList(member, signal, { namespaces: heads.map(({ commit }) => commit.namespace) }),
        standbyRecords(member),
        scheduleRows(member, namespace),
      ]);
      const seen = seenBy(machines);
      const rows = standbyRows(
        heads.map(({ commit }) => commit),
        { seen, records, now: Date.now() },
      );
      const complete = rows.map(async (row): Promise<StandbyRow> => {
        const lagBytes = await behind(row, seen, member.machines, signal);
        return { ...row, ...scheduled(row, schedules), ...(lagBytes !== undefined && { lagBytes }) };
      });
      return { kind: "standbys", standbys: await Promise.all(complete) };
    },
  };
}

function scheduled(
  { namespace, volume, machine }: Row,
  schedules: readonly ScheduleRow[],
): Pick<StandbyRow, "next" | "last"> {
  const name = `${volume}.standby-${machine}`;
  const { next, last } = schedules.find((one) => one.namespace === namespace && one.name === name) ?? {};
  return { ...(next !== undefined && { next }), ...(last !== undefined && { last }) };
}

/** About the bytes written since the snapshot that the standby has: what the volume has now and the snapshot had not, and the reverse. */
async function behind(
  { id, source, machine, state }: Row,
  seen: Seen,
  machines: Machines,
  signal: AbortSignal,
): Promise<number | undefined> {
  const volume = seen.get(source)?.volumes.find((copy) => copy.id === id);
  if (volume === undefined || state === "none" || state === "home") return undefined;
  const found = await machines
    .call(source, "volume.snapshots", { id }, { ...LOOK, signal })
    .catch(() => null);
  const snapshot = found?.snapshots.findLast(({ name }) => standbyOf(name) === machine);
  if (snapshot?.referencedBytes === undefined) return undefined;
  return Math.max(0, volume.referencedBytes - snapshot.referencedBytes) + snapshot.usedBytes;
}
