import { isTable, type Table } from "../manifest/document.ts";
import { sizeText } from "./durations.ts";
import { convertCommand } from "./ready.ts";
import type { ComposePath, Report } from "./report.ts";
import { scalarText } from "./words.ts";

/** Keys of a service that this reads. */
export const CONTAINER_KEYS = [
  ...["entrypoint", "working_dir", "stop_signal", "read_only", "shm_size", "tmpfs", "ulimits", "sysctls"],
  ...["extra_hosts", "cap_drop", "cap_add", "group_add", "init", "devices"],
];
/** Of a folder in memory that names none; Compose lets it take half of the memory. */
const TMPFS_SIZE = "256M";

/** How the program starts, and what it has of the kernel. */
export function convertContainer(service: Table, at: ComposePath, report: Report): Table {
  const entrypoint = convertCommand(service.entrypoint, [...at, "entrypoint"], report);
  const signal = service.stop_signal === undefined ? undefined : scalarText(service.stop_signal);
  const tmpfs = convertTmpfs(service.tmpfs, [...at, "tmpfs"], report);
  const hosts = pairs(service.extra_hosts, /[=:]/, [...at, "extra_hosts"], report);
  const gateway = Object.entries(hosts).find(([, address]) => address === "host-gateway");
  if (gateway !== undefined)
    report.add([...at, "extra_hosts"], `${gateway[0]}: host-gateway is not supported`, "name an address");
  const added = Array.isArray(service.cap_add) ? capabilities(service.cap_add) : undefined;
  if (added?.includes("ALL"))
    report.add([...at, "cap_add"], "ALL is not supported", "name each capability that the program needs");
  const shm = service.shm_size === undefined ? undefined : sizeText(service.shm_size);
  if (service.shm_size !== undefined && shm === undefined)
    report.add([...at, "shm_size"], `${scalarText(service.shm_size)} is not a size`, "for example 256M");
  return {
    ...(entrypoint !== undefined && { entrypoint }),
    ...(service.working_dir !== undefined && { working_dir: service.working_dir }),
    ...(signal !== undefined && { stop_signal: signal.startsWith("SIG") ? signal : `SIG${signal}` }),
    ...(service.read_only !== undefined && { read_only: service.read_only }),
    ...(shm !== undefined && { shm_size: shm }),
    ...some("tmpfs", tmpfs),
    ...(isTable(service.ulimits) && some("ulimits", service.ulimits)),
    ...some("sysctls", pairs(service.sysctls, /=/, [...at, "sysctls"], report)),
    ...some("extra_hosts", hosts),
    ...(Array.isArray(service.cap_drop) && { cap_drop: capabilities(service.cap_drop) }),
    ...(added !== undefined && { cap_add: added }),
    ...(Array.isArray(service.group_add) && { group_add: service.group_add.map(scalarText) }),
    ...(service.init !== undefined && { init: service.init }),
    ...some("devices", convertDevices(service.devices, [...at, "devices"], report)),
  };
}

const capabilities = (names: readonly unknown[]): readonly string[] =>
  names.map((name) => scalarText(name).toUpperCase().replace(/^CAP_/, ""));

const some = (key: string, table: Table): Table => (Object.keys(table).length > 0 ? { [key]: table } : {});

/** A table, or a list of `NAME=VALUE`. */
function pairs(value: unknown, separator: RegExp, at: ComposePath, report: Report): Record<string, string> {
  const given = Array.isArray(value)
    ? value.map((entry, index): [number, string, unknown] => {
        const text = scalarText(entry);
        const cut = text.search(separator);
        return cut < 0 ? [index, text, null] : [index, text.slice(0, cut), text.slice(cut + 1)];
      })
    : Object.entries(isTable(value) ? value : {}).map(([name, one]): [string, string, unknown] => [
        name,
        name,
        one,
      ]);
  const found = new Map<string, string>();
  for (const [where, name, one] of given) {
    if (one === null) report.add([...at, where], `${name} has no value`, "give it one");
    else if (Array.isArray(one) || found.has(name))
      report.add([...at, where], `${name} has several values`, "give it one");
    else found.set(name, scalarText(one));
  }
  return Object.fromEntries(found);
}

/** `PATH`, `PATH:INSIDE` or `PATH:INSIDE:rwm`, or a table of the same. */
function convertDevices(value: unknown, at: ComposePath, report: Report): Record<string, string> {
  const found = new Map<string, string>();
  for (const [index, entry] of (Array.isArray(value) ? value : []).entries()) {
    const { source, target, permissions } = isTable(entry) ? entry : shortDevice(scalarText(entry));
    const path = scalarText(source);
    const inside = target === undefined ? path : scalarText(target);
    const access = permissions === undefined ? "rwm" : scalarText(permissions);
    if (!path.startsWith("/dev/"))
      report.add([...at, index], `${path} is no device below /dev`, "name one, for example /dev/fuse");
    else if (!/^rwm?$/.test(access))
      report.add([...at, index], `permissions ${access} are not supported`, "leave them out: rw");
    else if (found.has(inside)) report.add([...at, index], `${inside} is there already`, "name it once");
    else found.set(inside, path);
  }
  return Object.fromEntries(found);
}

function shortDevice(text: string): Table {
  const [source = "", ...rest] = text.split(":");
  const isAccess = (word: string | undefined) => word !== undefined && !word.startsWith("/");
  const permissions = rest.find(isAccess);
  const target = rest.find((word) => !isAccess(word));
  return {
    source,
    ...(target !== undefined && { target }),
    ...(permissions !== undefined && { permissions }),
  };
}

const BUILD = ["context", "dockerfile", "args", "target"];

/** A folder to build, or a table with it. */
export function convertBuild(value: unknown, at: ComposePath, report: Report): unknown {
  if (!isTable(value)) return value;
  const { args, context = ".", ...rest } = value;
  for (const key of Object.keys(rest))
    if (!BUILD.includes(key)) report.add([...at, key], "is not supported", "leave it out");
  return { ...rest, context, ...some("args", pairs(args, /=/, [...at, "args"], report)) };
}

/** `/path` or `/path:size=64m`. */
function convertTmpfs(value: unknown, at: ComposePath, report: Report): Record<string, string> {
  const entries: readonly unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
  return Object.fromEntries(
    entries.map((entry, index) => {
      const [path = "", options = ""] = scalarText(entry).split(":");
      let size = TMPFS_SIZE;
      for (const option of options.split(",").filter((text) => text !== "")) {
        const [name, given = ""] = option.split("=");
        const found = name === "size" ? sizeText(given) : undefined;
        if (found !== undefined) size = found;
        else if (name === "size") report.add([...at, index], `${given} is not a size`, "for example 64m");
        else if (!["rw", "noexec", "nosuid", "nodev"].includes(option))
          report.add([...at, index], `option ${option} is not supported`, "leave it out");
      }
      return [path, size];
    }),
  );
}
