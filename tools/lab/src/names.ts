import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PloyzError } from "@ployz/errors";

/** Sources run from src/, the bundle from dist/: the package's own files are one level up from either. */
const packageDir = join(dirname(fileURLToPath(import.meta.url)), "..");

export const guestDir = join(packageDir, "guest");
export const rootRecipeDir = join(packageDir, "root");
export const launcher = join(packageDir, "lab");
export const loadWorker = join(packageDir, "dist/load-worker.js");

export const stateRoot = "/var/lib/ployz-lab";
export const cacheRoot = "/var/cache/ployz-lab";

export const stateDir = (lab: string): string => join(stateRoot, lab);
export const machineDir = (lab: string, index: number): string => join(stateDir(lab), `m${index}`);
export const machineName = (index: number): string => `m${index}`;
/** The lab's own network namespace: the bridge, and the client that `load` runs in. */
export const labNetns = (lab: string): string => `plab-${lab}`;
/** A lab's name has no dot, so a lab's network never has the name of another lab's machine. */
export const machineNetns = (lab: string, index: number): string => `plab-${lab}.m${index}`;
/** Paths below every cgroup hierarchy. */
export const labCgroup = (lab: string): string => `ployz-lab.${lab}`;
export const machineCgroup = (lab: string, index: number): string => join(labCgroup(lab), `m${index}`);
export const sshKey = (lab: string): string => join(stateDir(lab), "ssh", "id_ed25519");

export const maxMachines = 200;

/** Third octet of the lab's /24. Labs are isolated, so equal octets are harmless: distinct ones only help to read logs. */
const octet = (lab: string): number => createHash("sha256").update(lab).digest().readUInt8(0);

export const clientAddress = (lab: string): string => `10.77.${octet(lab)}.1`;
export const machineAddress = (lab: string, index: number): string => `10.77.${octet(lab)}.${10 + index}`;

/** Fixed, so that a power cycle leaves no stale ARP entry at the neighbours. Locally administered. */
export const machineMac = (lab: string, index: number): string => mac("02:77", lab, index);
export const portMac = (lab: string, index: number): string => mac("06:77", lab, index);

function mac(prefix: string, lab: string, index: number): string {
  const digest = createHash("sha256").update(`mac ${lab}`).digest("hex");
  const bytes = [
    digest.slice(0, 2),
    digest.slice(2, 4),
    digest.slice(4, 6),
    index.toString(16).padStart(2, "0"),
  ];
  return `${prefix}:${bytes.join(":")}`;
}

/** @throws PloyzError `lab_name_invalid` */
export function checkLabName(name: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) return name;
  throw new PloyzError({
    code: "lab_name_invalid",
    message: `${JSON.stringify(name)} is not a lab name`,
    hint: "use 1 to 32 of a-z, 0-9 and -, starting with a letter or digit",
  });
}

/** One default lab per user and checkout, the same from every folder of the checkout. */
export function defaultLabName(cwd: string, uid: number): string {
  let top = cwd;
  while (!existsSync(join(top, "pnpm-workspace.yaml")) && dirname(top) !== top) top = dirname(top);
  const place = dirname(top) === top ? cwd : top;
  return `lab-${createHash("sha256").update(`${uid}:${place}`).digest("hex").slice(0, 6)}`;
}
