import type { Refusal } from "../error-codes.ts";
import type { ContainerSpec, FileSpec, JobSpec, ServiceSpec } from "../model/commit.ts";
import { invalid, type Segment } from "../model/field.ts";
import { LIMITS } from "../model/limits.ts";
import { shown } from "../model/names.ts";
import { mayBeRoot } from "../model/rights.ts";
import { checkIds, checkSize } from "./bounds.ts";
import type { ManifestJob, ManifestService } from "./schema.ts";
import { formatSize, sizeBytes } from "./units.ts";

type Workload = ManifestService | ManifestJob;
type File = NonNullable<Workload["files"]>[string];

const CONTENT = ["text", "base64", "path", "secret"] as const;
const MODE = 0o444;

/** What neither a pattern nor the places of other mounts say. */
export function checkContainer(at: readonly Segment[], spec: Workload): readonly Refusal[] {
  return [
    ...Object.entries(spec.files ?? {}).flatMap(([path, file]) => checkFile([...at, "files", path], file)),
    ...Object.entries(spec.tmpfs ?? {}).flatMap(([path, size]) =>
      checkSize([...at, "tmpfs", path], size, LIMITS.tmpfs),
    ),
    ...(spec.shm_size === undefined ? [] : checkSize([...at, "shm_size"], spec.shm_size, LIMITS.tmpfs)),
    ...Object.entries(spec.ulimits ?? {}).flatMap(([name, limit]) =>
      typeof limit === "number" || limit.soft <= limit.hard
        ? []
        : [invalid([...at, "ulimits", name], `soft (${limit.soft}) is above hard (${limit.hard})`)],
    ),
    ...checkCapabilities(at, spec),
    ...(spec.group_add ?? []).flatMap((group, index) => checkIds([...at, "group_add", index], group)),
  ];
}

function checkCapabilities(at: readonly Segment[], spec: Workload): readonly Refusal[] {
  const { cap_add: added = [], cap_drop: dropped = [], user } = spec;
  const both = added.flatMap((name, index) =>
    dropped.includes(name)
      ? [invalid([...at, "cap_add", index], `${name} is in \`cap_drop\`, too`, "keep one of the two")]
      : [],
  );
  if (added.length === 0 || mayBeRoot(spec.bundle === undefined ? "image" : "bundle", user)) return both;
  const who = user === undefined ? "a bundle runs as nobody" : `\`user\` is ${shown(user)}`;
  return [
    ...both,
    invalid(
      [...at, "cap_add"],
      `only root has capabilities, and ${who}`,
      'set user = "root", or leave it out',
    ),
  ];
}

function checkFile(at: readonly Segment[], file: File): readonly Refusal[] {
  if (typeof file === "string") return [];
  const given = CONTENT.filter((field) => file[field] !== undefined);
  if (given.length !== 1) return [invalid(at, "needs exactly one of `text`, `base64`, `path` and `secret`")];
  if (file.path !== undefined)
    return [invalid([...at, "path"], "is read by `ployzctl deploy` only", "put its content into `text`")];
  return checkIds([...at, "owner"], file.owner ?? "");
}

type Committed = Pick<ServiceSpec | JobSpec, "files" | "container">;

/** Expects checked fields. */
export function normalContainer(spec: Workload): Committed {
  const { tmpfs, read_only, shm_size, ulimits, cap_drop, cap_add, init, sysctls, extra_hosts } = spec;
  const { binds, devices, group_add } = spec;
  const container: ContainerSpec = {
    ...(some(tmpfs) && { tmpfs: sorted(tmpfs, (size) => sizeBytes(size) ?? 0) }),
    ...(read_only === true && { readOnly: true }),
    ...(shm_size !== undefined && { shmBytes: sizeBytes(shm_size) ?? 0 }),
    ...(some(ulimits) && {
      ulimits: sorted(ulimits, (limit) =>
        typeof limit === "number" ? { soft: limit, hard: limit } : { soft: limit.soft, hard: limit.hard },
      ),
    }),
    ...(some(cap_drop) && { capDrop: [...cap_drop].sort() }),
    ...(some(cap_add) && { capAdd: [...cap_add].sort() }),
    ...(some(group_add) && { groupAdd: [...group_add].sort() }),
    ...(init === true && { init }),
    ...(some(binds) && {
      binds: sorted(binds, (bind) =>
        typeof bind === "string"
          ? { source: bind }
          : { source: bind.source, ...(bind.read_only === true && { readOnly: true as const }) },
      ),
    }),
    ...(some(devices) && { devices: sorted(devices, (device) => device) }),
    ...(some(sysctls) && { sysctls: sorted(sysctls, (value) => value) }),
    ...(some(extra_hosts) && { extraHosts: sorted(extra_hosts, (address) => address) }),
  };
  return {
    ...(some(spec.files) && { files: sorted(spec.files, normalFile) }),
    ...(some(container) && { container }),
  };
}

function normalFile(given: File): FileSpec {
  const file = typeof given === "string" ? { text: given } : given;
  const [uid, gid = uid] = (file.owner ?? "").split(":").map(Number);
  const rest = {
    mode: file.mode === undefined ? MODE : Number.parseInt(file.mode, 8),
    ...(file.owner !== undefined && uid !== undefined && gid !== undefined && { owner: { uid, gid } }),
  };
  if (file.secret !== undefined) return { secret: file.secret, ...rest };
  return file.base64 === undefined ? { text: file.text ?? "", ...rest } : { base64: file.base64, ...rest };
}

/** As a manifest says it, defaults left out. */
export function renderContainer({ files, container = {} }: Committed) {
  const { tmpfs, readOnly, shmBytes, ulimits, capDrop, capAdd, init, sysctls, extraHosts } = container;
  const { binds, devices, groupAdd } = container;
  return {
    ...(files && { files: sorted(files, renderFile) }),
    ...(tmpfs && { tmpfs: sorted(tmpfs, formatSize) }),
    ...(readOnly && { read_only: true }),
    ...(shmBytes !== undefined && { shm_size: formatSize(shmBytes) }),
    ...(ulimits && {
      ulimits: sorted(ulimits, ({ soft, hard }) => (soft === hard ? soft : { soft, hard })),
    }),
    ...(capDrop && { cap_drop: [...capDrop] }),
    ...(capAdd && { cap_add: [...capAdd] }),
    ...(groupAdd && { group_add: [...groupAdd] }),
    ...(init && { init }),
    ...(binds && {
      binds: sorted(binds, ({ source, readOnly }) => (readOnly ? { source, read_only: true } : source)),
    }),
    ...(devices && { devices: { ...devices } }),
    ...(sysctls && { sysctls: { ...sysctls } }),
    ...(extraHosts && { extra_hosts: { ...extraHosts } }),
  };
}

function renderFile({ mode, owner, ...content }: FileSpec) {
  if ("text" in content && mode === MODE && owner === undefined) return content.text;
  return {
    ...content,
    ...(mode !== MODE && { mode: mode.toString(8).padStart(4, "0") }),
    ...(owner && { owner: `${owner.uid}:${owner.gid}` }),
  };
}

const some = <T extends object>(table: T | undefined): table is T =>
  table !== undefined && Object.keys(table).length > 0;

const sorted = <T, U>(table: Readonly<Record<string, T>>, convert: (value: T) => U): Record<string, U> =>
  Object.fromEntries(
    Object.entries(table)
      .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
      .map(([key, value]) => [key, convert(value)]),
  );
