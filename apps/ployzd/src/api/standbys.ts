import type { ScheduleRow, StandbyList, StandbyRow } from "@ployz/primitives/client";
import {
  type Commit,
  type FactTypes,
  LOOK,
  type MachineObservation,
  type Machines,
  standbyKey,
  standbyOf,
} from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import type { Member } from "../daemon/member-parts.ts";
import { needNamespace } from "./named.ts";
import type { ApiRoutes } from "./router.ts";
import { scheduleRows } from "./schedules.ts";
import { machineList } from "./views.ts";

type Row = Omit<StandbyRow, "next" | "last" | "lagBytes">;
type Seen = ReadonlyMap<string, MachineObservation | undefined>;
type Records = ReadonlyMap<string, FactTypes["standby"]>;

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
      const seen = new Map(machines.map(({ record, observation }) => [record.id, observation]));
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

/** What the standbys have received, by the keys of the facts. */
export async function standbyRecords({ store }: Pick<Member, "store">): Promise<Records> {
  const facts = await store.facts.list("standby");
  return new Map(facts.map(({ key, value }) => [key as string, value]));
}

/** Three runs late, and time for the third. */
const boundOf = (everyMs: number): number => Math.max(3 * everyMs, everyMs + 30_000);

/** Standbys as committed, with what their machines have. Pure. */
export function standbyRows(
  commits: readonly Commit[],
  { seen, records, now }: { readonly seen: Seen; readonly records: Records; readonly now: number },
): readonly Row[] {
  return commits
    .filter(({ removed }) => removed !== true)
    .flatMap(({ namespace, volumes }) =>
      volumes.flatMap(({ name, id, machine: source, spec: { standby } }) =>
        (standby?.machines ?? []).map((machine): Row => {
          const base = { namespace, volume: name, id, source, machine, everyMs: standby?.everyMs ?? 0 };
          if (machine === source) return { ...base, state: "home" };
          const record = records.get(standbyKey(namespace, name, machine));
          const known = record?.id === id ? record : undefined;
          const there = seen.get(machine);
          const copy = there?.volumes.find((one) => one.id === id && one.standby !== undefined);
          const holds = latest(
            copy?.standby,
            there === undefined || copy !== undefined ? known?.takenAt : undefined,
          );
          const lagMs = holds === undefined ? undefined : Math.max(0, now - Date.parse(holds));
          const old = lagMs !== undefined && lagMs > boundOf(base.everyMs);
          return {
            ...base,
            state: there === undefined ? "unknown" : copy === undefined ? "none" : old ? "old" : "current",
            ...(holds !== undefined && { holds }),
            ...(lagMs !== undefined && { lagMs }),
            ...(copy !== undefined && { usedBytes: copy.usedBytes }),
            ...(known !== undefined && { bytes: known.bytes }),
          };
        }),
      ),
    );
}

const latest = (left: string | undefined, right: string | undefined): string | undefined =>
  left === undefined || right === undefined ? (left ?? right) : left > right ? left : right;

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
