import type { SnapshotList, VolumeList, VolumeRow } from "../../api.ts";
import type { VolumeDocument, VolumeExported } from "../../documents.ts";
import { ago, type Block, bytes, type Cell, duration, lines, type Page, remark, table } from "../page.ts";

const TONES: Readonly<Record<VolumeRow["state"], "ok" | "warn" | "bad" | "dim">> = {
  active: "ok",
  sealed: "warn",
  incoming: "warn",
  retired: "dim",
  missing: "bad",
  unknown: "warn",
};

export const volumeOrigin = (origin: VolumeRow["origin"]): string =>
  origin === undefined
    ? "-"
    : `${origin.namespace}/${origin.volume}@${origin.snapshot}${origin.guid === undefined ? "" : " (a file)"}`;

const size = (count: number | undefined): string => (count === undefined ? "-" : bytes(count));

type Standby = NonNullable<VolumeRow["standbys"]>[number];

/** How old the copy's data is. */
export function lagText({ state, lagMs }: Pick<Standby, "state" | "lagMs">): string {
  if (state === "none") return "no copy yet";
  return state === "unknown" || lagMs === undefined ? "unknown" : duration(lagMs);
}

/** The machine of each standby, and how far it is behind. */
function standbyCell(standbys: NonNullable<VolumeRow["standbys"]>): Cell {
  if (standbys.length === 0) return "-";
  const tone = standbys.every(({ state }) => state === "current") ? "ok" : "warn";
  return { text: standbys.map((one) => `${one.machine} ${lagText(one)}`).join(", "), tone };
}

function volumeTable(rows: readonly VolumeRow[]): Block {
  return table(
    "volume",
    ["VOLUME", "MACHINE", "STATE", "STANDBY", "USED", "REFERENCED", "QUOTA", "USED BY", "ID"],
    rows.map(({ namespace, name, id, machine, state, users, spec, observed, standbys = [] }): Cell[] => [
      `${namespace}/${name}`,
      machine,
      observed?.standby === undefined ? { text: state, tone: TONES[state] } : { text: "standby", tone: "ok" },
      standbyCell(standbys),
      size(observed?.usedBytes),
      size(observed?.referencedBytes),
      size(observed?.quotaBytes ?? spec?.quotaBytes),
      users.join(" ") || "-",
      id,
    ]),
    { empty: "no volumes", drop: ["ID", "REFERENCED", "QUOTA"] },
  );
}

export function volumesPage({ volumes, unreachable }: VolumeList): Page {
  return [
    volumeTable(volumes),
    ...(unreachable.length === 0
      ? []
      : [remark({ text: `unreachable, state unknown: ${unreachable.join(", ")}`, tone: "warn" })]),
  ];
}

export function volumePage({ copies, ...row }: VolumeDocument, now: number): Page {
  const { spec, origin, moved, observed } = row;
  return [
    volumeTable([row, ...copies]),
    lines(
      ...(spec === undefined ? [] : [`scope ${spec.scope}`]),
      ...(spec?.recordsizeBytes === undefined ? [] : [`record size ${bytes(spec.recordsizeBytes)}`]),
      ...(origin === undefined ? [] : [`copied from ${volumeOrigin(origin)}`]),
      ...(moved === undefined ? [] : [`moved from ${moved.from}, verified by snapshot ${moved.snapshot}`]),
      ...[observed, ...copies.map((copy) => copy.observed)].flatMap((copy) =>
        copy?.retiredAt === undefined || copy.standby !== undefined
          ? []
          : [`${copy.id} was retired ${ago(copy.retiredAt, now)}`],
      ),
    ),
  ];
}

export function snapshotsPage({ snapshots }: SnapshotList, now: number): Page {
  return [
    table(
      "snapshot",
      ["SNAPSHOT", "TAKEN", "USED", "OF", "GUID"],
      snapshots.map(({ name, createdAt, usedBytes, guid, copy, machine }) => [
        name,
        ago(createdAt, now),
        bytes(usedBytes),
        copy === undefined
          ? "the volume"
          : `retired copy ${copy}${machine === undefined ? "" : ` on ${machine}`}`,
        guid,
      ]),
      { empty: "no snapshots", drop: ["GUID"] },
    ),
  ];
}

/** Nothing where the volume itself was written to stdout. */
export const exportedPage = ({ namespace, volume, snapshot, file, bytes: count }: VolumeExported): Page =>
  file === "-" ? [] : [lines(`${file}: ${namespace}/${volume}@${snapshot}, ${bytes(count)}`)];
