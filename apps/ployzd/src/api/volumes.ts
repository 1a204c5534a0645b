import type { InstanceList, MachineRow, SnapshotList, VolumeList, VolumeRow } from "@ployz/primitives/client";
import { type Commit, LOOK, type Machines } from "@ployz/primitives/protocol";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import { needVolume } from "./named.ts";
import { type Row, seenBy, standbyRecords, standbyRows } from "./standby-rows.ts";

type Head = { readonly commit: Commit };

/** Committed volumes in their machines' state, then the copies in no commit. Pure. */
export function volumeList(
  heads: readonly Head[],
  machines: readonly MachineRow[],
  namespace: string | undefined,
): VolumeList {
  const asked = (name: string) => namespace === undefined || name === namespace;
  const seen = new Map(
    machines.flatMap(({ record, observation }) =>
      observation === undefined ? [] : [[record.id, observation.volumes] as const],
    ),
  );
  const committed = heads
    .filter(({ commit }) => asked(commit.namespace))
    .flatMap(({ commit }) => commit.volumes.map((volume) => ({ commit, volume })));
  const rows = committed.map(({ commit, volume }): VolumeRow => {
    const { name, id, machine, spec, origin, moved } = volume;
    const observed = seen.get(machine)?.find((copy) => copy.id === id);
    return {
      namespace: commit.namespace,
      ...{ name, id, machine, spec },
      committed: true,
      state: seen.has(machine) ? (observed?.state ?? "missing") : "unknown",
      users: usersOf(commit, name),
      ...(origin && { origin }),
      ...(moved && { moved }),
      ...(observed && { observed }),
    };
  });
  const known = new Set(committed.map(({ volume }) => `${volume.id}@${volume.machine}`));
  const others = [...seen].flatMap(([machine, copies]) =>
    copies
      .filter((copy) => asked(copy.namespace) && !known.has(`${copy.id}@${machine}`))
      .map((observed): VolumeRow => {
        const { namespace: at, name, id, state } = observed;
        return { namespace: at, name, id, machine, committed: false, state, users: [], observed };
      }),
  );
  return {
    kind: "volumes",
    volumes: [...rows, ...others].sort(byName),
    unreachable: machines.filter(({ reachable }) => !reachable).map(({ record }) => record.id),
  };
}

/** The list with the standbys of committed volumes, and how far each is behind. Pure. */
export const withStandbys = (list: VolumeList, rows: readonly Row[]): VolumeList => ({
  ...list,
  volumes: list.volumes.map((volume) => {
    const own = rows.filter(({ id, state }) => volume.committed && id === volume.id && state !== "home");
    return own.length === 0 ? volume : { ...volume, standbys: own.map(behind) };
  }),
});

/** The list with the standbys of the volumes that its services use. Pure. */
export function withServiceStandbys(
  list: InstanceList,
  rows: readonly Row[],
  { heads, service }: { readonly heads: readonly Head[]; readonly service?: string | undefined },
): InstanceList {
  const used = (row: Row) =>
    heads.some(
      ({ commit }) =>
        commit.namespace === row.namespace &&
        usersOf(commit, row.volume).some((user) => service === undefined || user === service),
    );
  const standbys = rows
    .filter((row) => row.state !== "home" && used(row))
    .map((row) => ({ namespace: row.namespace, volume: row.volume, ...behind(row) }));
  return standbys.length === 0 ? list : { ...list, standbys };
}

const behind = ({ machine, state, lagMs }: Row) => ({
  ...{ machine, state },
  ...(lagMs !== undefined && { lagMs }),
});

/** Standbys of a namespace, or of all. Nothing is asked where no commit has one. */
export async function presentStandbys(
  member: Pick<Member, "heads" | "store">,
  machines: readonly MachineRow[],
  namespace: string | undefined,
): Promise<readonly Row[]> {
  const commits = member
    .heads()
    .map(({ commit }) => commit)
    .filter((commit) => namespace === undefined || commit.namespace === namespace);
  if (!commits.some(({ volumes }) => volumes.some(({ spec }) => spec.standby !== undefined))) return [];
  const records = await standbyRecords(member).catch(() => new Map()); // the machines tell, too
  return standbyRows(commits, { seen: seenBy(machines), records, now: Date.now() });
}

export async function snapshotList(
  heads: readonly Head[],
  machines: Machines,
  asked: {
    readonly namespace: string;
    readonly volume: string;
    /** Machines that may have retired copies. */
    readonly members?: readonly string[];
  },
  signal: AbortSignal,
): Promise<SnapshotList> {
  const { namespace, volume: name } = asked;
  const volume = needVolume(heads, namespace, name);
  const { id, machine } = volume;
  const found = await machines.call(machine, "volume.snapshots", { id }, { ...LOOK, signal });
  if (found === null)
    throw new PloyzError({
      code: "volume_missing",
      message: `${machine} does not have ${namespace}/${name}`,
      hint: `find its machine: ployzctl volume show ${namespace}/${name}`,
    });
  const elsewhere = (asked.members ?? [])
    .filter((other) => other !== machine)
    .map((other) => leftSnapshots(machines, { namespace, name, machine: other }, signal).catch(() => []));
  const replaced = [
    ...(await replacedSnapshots(machines, { namespace, name, id, machine }, signal)),
    ...(await Promise.all(elsewhere)).flat(),
  ];
  const present = new Set(found.snapshots.map(({ guid }) => guid));
  const snapshots = [...found.snapshots, ...replaced.filter(({ guid }) => !present.has(guid))].sort((a, b) =>
    a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : 0,
  );
  return { kind: "snapshots", namespace, volume: name, id, machine, snapshots };
}

/** A restore leaves the snapshots of what it replaces on the retired copy, and they can be restored as well. */
async function replacedSnapshots(
  machines: Machines,
  of: { readonly namespace: string; readonly name: string; readonly id: string; readonly machine: string },
  signal: AbortSignal,
): Promise<SnapshotList["snapshots"]> {
  const options = { ...LOOK, signal };
  const { volumes } = await machines.call(
    of.machine,
    "machine.observe",
    { namespaces: [of.namespace] },
    options,
  );
  const retired = volumes.filter(
    ({ namespace, name, id, state, standby }) =>
      namespace === of.namespace && name === of.name && id !== of.id && state === "retired" && !standby,
  );
  const found = retired.map(async ({ id: copy }) => {
    const there = await machines.call(of.machine, "volume.snapshots", { id: copy }, options);
    return (there?.snapshots ?? []).map((one) => ({ ...one, copy }));
  });
  return (await Promise.all(found)).flat();
}

/** Snapshots of retired copies on a machine that the volume has left; none where that does not answer. */
async function leftSnapshots(
  machines: Machines,
  of: { readonly namespace: string; readonly name: string; readonly machine: string },
  signal: AbortSignal,
): Promise<SnapshotList["snapshots"]> {
  const { machine } = of;
  const found = await replacedSnapshots(machines, { ...of, id: "" }, signal);
  return found.map((one) => ({ ...one, machine }));
}

const usersOf = ({ services }: Commit, volume: string): readonly string[] =>
  Object.entries(services).flatMap(([name, { spec }]) => (Object.hasOwn(spec.volumes, volume) ? [name] : []));

function byName(a: VolumeRow, b: VolumeRow): number {
  const key = ({ namespace, name, committed, machine }: VolumeRow) =>
    [namespace, name, committed ? 0 : 1, machine].join("/");
  return key(a) < key(b) ? -1 : 1;
}
