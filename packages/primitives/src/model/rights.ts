import Type, { type Static } from "typebox";
import type { ContainerSpec } from "./container.ts";
import { list, object, text } from "./schema.ts";

/** Rights that a machine's configuration can refuse to every workload. `root`: a program with user id 0. `cap_add`: any capability beyond the default. */
export const RIGHTS = ["root", "cap_add"] as const;
/** One of them. */
export type Right = (typeof RIGHTS)[number];

/**
 * Whether a program of this user may have user id 0. An image decides what a name means in it and whom it runs as without one, so only a number
 * says that it is not root; names of a host process are the machine's, which knows other names of user 0 when it starts one.
 */
export function mayBeRoot(kind: "image" | "bundle", user: string | undefined): boolean {
  const [account = ""] = user?.split(":") ?? [];
  const isNumber = /^[0-9]+$/.test(account);
  if (isNumber) return Number(account) === 0;
  return kind === "image" || account === "root";
}

/** Docker's default set. Instances do not have the last three by default, and may have them back. */
const FREE_CAPABILITIES: readonly string[] = [
  ...["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID"],
  ...["SETPCAP", "SETUID", "SYS_CHROOT", "AUDIT_WRITE", "MKNOD", "NET_RAW"],
];

/** What a machine's configuration allows to workloads beyond that: `[policy]`. Absent fields: a version that knows none of them. */
export const Allowed = object({
  capabilities: list(text()),
  /** Absolute paths, with all that is below them; `:ro` at the end: to be read only. */
  hostPaths: Type.Optional(list(text())),
  /** Of Ployz, of the engine and of the kernel: allowed only where `hostPaths` names them exactly. */
  keptPaths: Type.Optional(list(text())),
  /** Devices, and folders of them. */
  devices: Type.Optional(list(text())),
  /** Ports of the machine that services may publish: `1024-65535`, `25`, `53/udp`. */
  hostPorts: Type.Optional(list(text())),
});
/** Static type of the schema of this name. */
export type Allowed = Static<typeof Allowed>;

export const NOTHING_ALLOWED: Allowed = { capabilities: [] };

/** The settings that a machine has to allow. */
type Rights = Pick<ContainerSpec, "capAdd" | "binds" | "devices">;

/** Why a machine does not start an instance with these settings: the manifest's field, and the line of the machine's configuration that would allow it. */
export function forbidden(
  { capAdd = [], binds = {}, devices = {} }: Rights,
  allowed: Allowed,
  refuses: readonly string[],
): string | undefined {
  if (capAdd.length > 0 && refuses.includes("cap_add"))
    return `refuses cap_add: "cap_add" is in policy.refuse of its configuration`;
  const { capabilities, hostPaths = [], devices: allowedDevices = [] } = allowed;
  const missing = capAdd.filter((name) => !FREE_CAPABILITIES.includes(name) && !capabilities.includes(name));
  if (missing.length > 0)
    return `does not allow cap_add ${missing.join(", ")}: ${line("capabilities", capabilities, ...missing)}`;
  for (const bind of Object.values(binds)) {
    const why = forbiddenBind(bind, hostPaths, allowed.keptPaths ?? []);
    if (why !== undefined) return why;
  }
  const device = Object.values(devices).find((path) => !allowedDevices.some((one) => isWithin(path, one)));
  return device && `does not allow devices ${device}: ${line("devices", allowedDevices, device)}`;
}

const isWithin = (path: string, folder: string): boolean =>
  folder === "/" || path === folder || path.startsWith(`${folder}/`);

/** Folders of the kernel, and the root. */
const KEPT_PATHS = ["/dev", "/proc", "/sys"];

function forbiddenBind(
  { source, readOnly }: { readonly source: string; readonly readOnly?: true },
  hostPaths: readonly string[],
  kept: readonly string[],
): string | undefined {
  const entries = hostPaths.map((entry) => ({
    path: entry.replace(/:ro$/, ""),
    writable: !entry.endsWith(":ro"),
  }));
  const named = (path: string) => entries.some((entry) => entry.path === path);
  const touched = [...KEPT_PATHS, ...kept].filter((one) => isWithin(one, source) || isWithin(source, one));
  const unnamed =
    source === "/"
      ? undefined
      : touched.find((one) => isWithin(one, source) && one !== source && !named(one));
  const wanted = readOnly ? `${source}:ro` : source;
  if (unnamed !== undefined)
    return `does not allow binds ${source}, which holds ${unnamed}: ${line("host_paths", hostPaths, wanted, unnamed)}`;
  const covering = entries.filter(({ path }) =>
    touched.length > 0 || source === "/" ? path === source : isWithin(source, path),
  );
  if (covering.some(({ writable }) => writable || readOnly)) return undefined;
  return covering.length === 0
    ? `does not allow binds ${source}: ${line("host_paths", hostPaths, wanted)}`
    : `allows binds ${source} with read_only = true only`;
}

const line = (field: string, present: readonly string[], ...more: readonly string[]): string => {
  const values = [...new Set([...present, ...more])].map((value) => JSON.stringify(value));
  return `its configuration would with policy.${field} = [${values.join(", ")}]`;
};
