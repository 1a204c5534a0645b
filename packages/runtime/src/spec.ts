import { createHash } from "node:crypto";
import { isIPv4 } from "node:net";
import { isAbsolute, normalize } from "node:path";
import { PloyzError } from "./error-codes.ts";
import type { ContainerSettings, InstanceSpec } from "./runtime.ts";

/** Room for a namespace and a service of 63 letters each, a slot and an operation. */
const ID = /^[a-z0-9][a-z0-9.-]{0,159}$/;
const HOSTNAME = /^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62})$/;
/** Processes and threads of an instance that says nothing else. */
export const DEFAULT_PIDS = 4096;
const SIGNAL = /^SIG[A-Z0-9]{2,10}$/;

/** Guards every path and name made from an id. @throws PloyzError `instance_invalid` */
export function checkId(id: string): string {
  if (!ID.test(id) || id.includes("..")) throw invalid(id, "id", `must match ${ID.source}`);
  return id;
}

/** Refuses a spec that could not be carried out byte for byte. @throws PloyzError `instance_invalid` */
export function checkSpec(spec: InstanceSpec): InstanceSpec {
  const { id } = spec;
  checkId(id);
  if (!isIPv4(spec.address)) throw invalid(id, "address", "must be an IPv4 address");
  if (!isIPv4(spec.dns.server)) throw invalid(id, "dns.server", "must be an IPv4 address");
  for (const domain of spec.dns.search) {
    if (!/^[a-zA-Z0-9_.-]{1,253}$/.test(domain))
      throw invalid(id, "dns.search", `"${domain}" is not a domain`);
  }
  if (!HOSTNAME.test(spec.hostname))
    throw invalid(id, "hostname", "must be a host name of at most 63 characters");
  if (spec.stopSignal !== undefined && !SIGNAL.test(spec.stopSignal)) {
    throw invalid(id, "stopSignal", "must be a signal name such as SIGTERM");
  }
  for (const word of [...(spec.entrypoint ?? []), ...(spec.command ?? [])]) {
    if (word.includes("\0")) throw invalid(id, "command", "holds a NUL");
  }
  for (const [name, value] of Object.entries(spec.env)) {
    if (name === "" || /[=\0/]/.test(name) || name === "." || name === ".." || name.length > 255) {
      throw invalid(id, "env", `"${name}" cannot name a variable`);
    }
    if (value.includes("\0")) throw invalid(id, "env", `the value of ${name} holds a NUL`);
  }
  for (const path of spec.mounts.flatMap((mount) => [mount.source, mount.target]))
    checkPath(id, "mounts", path);
  if (spec.bundle !== undefined) checkPath(id, "bundle", spec.bundle);
  if (spec.workdir !== undefined) checkPath(id, "workdir", spec.workdir);
  const { cpus, memoryBytes, pids } = spec.resources ?? {};
  if (cpus !== undefined && !(cpus > 0)) throw invalid(id, "resources.cpus", "must be above 0");
  if (memoryBytes !== undefined && !(Number.isInteger(memoryBytes) && memoryBytes >= 6 * 1024 * 1024)) {
    throw invalid(id, "resources.memoryBytes", "must be at least 6 MiB");
  }
  if (pids !== undefined && !(Number.isInteger(pids) && pids >= 1))
    throw invalid(id, "resources.pids", "must be at least 1");
  return spec;
}

/** Equal for specs that make equal instances. Labels are left out: they describe the owner, not the instance. */
export function instanceIdentity(spec: InstanceSpec): string {
  const { labels: _, ...what } = spec;
  return createHash("sha256").update(canonicalJson(what)).digest("hex");
}

export function hasLabels(
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> = {},
): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

export function conflict(id: string): PloyzError {
  return new PloyzError({
    code: "instance_conflict",
    message: `instance ${id} exists here and was made from another spec`,
    hint: "remove it first, or give the new one an id of its own",
    details: { instance: id },
  });
}

/** Whether the user is a number other than 0: what a name means in an image, only the image knows. */
export function isNotRoot(user: string | undefined): boolean {
  const [account = ""] = user?.split(":") ?? [];
  return /^[0-9]+$/.test(account) && Number(account) > 0;
}

export function rootRefused(id: string): PloyzError {
  return new PloyzError({
    code: "root_refused",
    message: `instance ${id} would run as root, or may, and this machine's configuration refuses that`,
    hint: "set user to a number such as 1000, or remove root from policy.refuse of the machine's configuration",
    details: { instance: id },
  });
}

/** Why no instance with these settings is started on a machine; `undefined`: it is. */
export type Forbids = (settings: ContainerSettings) => Promise<string | undefined>;

/** @throws PloyzError `right_refused` */
export async function checkRights(
  id: string,
  settings: ContainerSettings | undefined,
  forbids: Forbids | undefined,
): Promise<void> {
  const why = settings && (await forbids?.(settings));
  if (why === undefined) return;
  throw new PloyzError({
    code: "right_refused",
    message: `instance ${id}: this machine ${why}`,
    hint: "change the manifest, or [policy] in the machine's configuration, and restart its daemon",
    details: { instance: id },
  });
}

export function missing(id: string): PloyzError {
  return new PloyzError({
    code: "instance_missing",
    message: `there is no instance ${id} on this machine`,
    details: { instance: id },
  });
}

export function invalid(id: string, field: string, why: string): PloyzError {
  return new PloyzError({
    code: "instance_invalid",
    message: `instance ${JSON.stringify(id.slice(0, 170))}: ${field} ${why}`,
    details: { field },
  });
}

function checkPath(id: string, field: string, path: string): void {
  if (
    !isAbsolute(path) ||
    normalize(path) !== path ||
    (path !== "/" && path.endsWith("/")) ||
    path.includes("\0")
  ) {
    throw invalid(id, field, `${JSON.stringify(path)} must be an absolute, normal path`);
  }
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
