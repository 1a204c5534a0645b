/** One property as `zfs get -Hp` prints it. */
export interface PropertyValue {
  readonly value: string;
  readonly source: "local" | "inherited" | "received" | "default" | "temporary" | "none";
}

/** Properties by name, each with its source. */
export type PropertyTable = ReadonlyMap<string, PropertyValue>;

/** Sizes in bytes. Numbers that ZFS prints as "-" or "none" are absent. */
export interface Dataset {
  readonly name: string;
  readonly type: "filesystem" | "volume" | "snapshot";
  /** 64 bits in decimal. Stays the same under rename and receive: this is a dataset's or snapshot's identity. */
  readonly guid: string;
  /** Epoch milliseconds, to the second. */
  readonly createdAt: number;
  readonly usedBytes: number;
  readonly referencedBytes: number;
  readonly availableBytes?: number;
  readonly quotaBytes?: number;
  readonly refquotaBytes?: number;
  readonly reservationBytes?: number;
  readonly refreservationBytes?: number;
  readonly recordsizeBytes?: number;
  /** Written since the last snapshot; only with the feature `written`. */
  readonly writtenBytes?: number;
  /** An absolute path; absent for `none`, `legacy` and snapshots. */
  readonly mountpoint?: string;
  readonly mounted: boolean;
  /** The snapshot of which this is a clone. */
  readonly origin?: string;
  /** User properties set on this dataset; inherited ones are left out, because they do not describe it. */
  readonly user: Readonly<Record<string, string>>;
  /** As printed: all properties, or the requested ones. */
  readonly properties: PropertyTable;
}

/** Parses `zfs get -Hp -o name,property,value,source`: tables by dataset name, in the order printed. */
export function parseProperties(text: string): ReadonlyMap<string, PropertyTable> {
  const tables = new Map<string, Map<string, PropertyValue>>();
  for (const line of text.split("\n")) {
    const fields = line.split("\t");
    const [name, property] = fields;
    if (fields.length < 4 || name === undefined || property === undefined) continue; // tail of a foreign value with a line break
    const table = tables.get(name) ?? new Map<string, PropertyValue>();
    table.set(property, { value: fields.slice(2, -1).join("\t"), source: parseSource(fields.at(-1) ?? "-") });
    tables.set(name, table);
  }
  return tables;
}

function parseSource(text: string): PropertyValue["source"] {
  if (text.startsWith("inherited")) return "inherited";
  return text === "local" || text === "received" || text === "default" || text === "temporary"
    ? text
    : "none";
}

export function toDataset(name: string, properties: PropertyTable): Dataset {
  const text = (property: string) => {
    const value = properties.get(property)?.value;
    return value === "-" || value === "none" || value === "" ? undefined : value;
  };
  const size = (property: string) => {
    const value = text(property);
    return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
  };
  const limit = (property: string) => size(property) || undefined; // 0 is how "none" reads under -p
  const mountpoint = text("mountpoint");
  const type = text("type");
  const guid = text("guid");
  if (guid === undefined || (type !== "filesystem" && type !== "volume" && type !== "snapshot")) {
    throw new Error(`zfs get printed no guid or an unknown type for ${name}: ${type}`);
  }
  const optional = {
    availableBytes: size("available"),
    quotaBytes: limit("quota"),
    refquotaBytes: limit("refquota"),
    reservationBytes: limit("reservation"),
    refreservationBytes: limit("refreservation"),
    recordsizeBytes: size("recordsize"),
    writtenBytes: size("written"),
    mountpoint: mountpoint?.startsWith("/") ? mountpoint : undefined,
    origin: text("origin"),
  };
  return {
    name,
    type,
    guid,
    createdAt: (size("creation") ?? 0) * 1000,
    usedBytes: size("used") ?? 0,
    referencedBytes: size("referenced") ?? 0,
    ...(Object.fromEntries(
      Object.entries(optional).filter(([, value]) => value !== undefined),
    ) as Partial<Dataset>),
    mounted: text("mounted") === "yes",
    user: Object.fromEntries(
      [...properties]
        .filter(([key, { source }]) => key.includes(":") && (source === "local" || source === "received"))
        .map(([key, { value }]) => [key, value]),
    ),
    properties,
  };
}

/** As zpoolconcepts(7) lists them; SUSPENDED is what `zpool list` prints for a pool whose I/O has stopped. */
export type PoolHealth = "ONLINE" | "DEGRADED" | "FAULTED" | "OFFLINE" | "REMOVED" | "UNAVAIL" | "SUSPENDED";

/** A row of `zpool list`. */
export interface PoolRow {
  readonly name: string;
  readonly guid: string;
  readonly health: PoolHealth;
  /** Absent where `zpool list` has no -p and rounds. */
  readonly sizeBytes?: number;
}

/** Parses `zpool list -H[p] -o name,guid,health,size`. */
export function parsePoolList(text: string): readonly PoolRow[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && line !== "no pools available")
    .map((line) => {
      const [name = "", guid = "", health = "", size = ""] = line.split("\t");
      return {
        name,
        guid,
        health: health as PoolHealth,
        ...(/^\d+$/.test(size) && { sizeBytes: Number(size) }),
      };
    });
}

/** The leaf devices with absolute paths in the `config:` part of `zpool status`. */
export function parsePoolDevices(text: string): readonly string[] {
  const [, config = ""] = text.split(/^config:$/m);
  return [...config.matchAll(/^\s+(\/\S+)/gm)].map(([, path]) => path ?? "");
}
