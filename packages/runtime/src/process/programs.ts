import { findProgram } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import type { Programs } from "./launch.ts";

const NAMES: Readonly<Record<keyof Programs, string>> = {
  execlineb: "execlineb",
  emptyenv: "emptyenv",
  redirfd: "redirfd",
  supervise: "s6-supervise",
  svc: "s6-svc",
  svwait: "s6-svwait",
  svlisten1: "s6-svlisten1",
  svstat: "s6-svstat",
  log: "s6-log",
  envdir: "s6-envdir",
  tini: "tini",
  unshare: "unshare",
  nsenter: "nsenter",
  setpriv: "setpriv",
  mount: "mount",
  umount: "umount",
  pivotRoot: "pivot_root",
  hostname: "hostname",
  mkfifo: "mkfifo",
};

/** Debian keeps execline's small programs out of PATH. @throws PloyzError `runtime_program_missing`, naming all of them. */
export async function findPrograms(): Promise<Programs> {
  const found: Partial<Record<keyof Programs, string>> = {};
  const missing: string[] = [];
  for (const [key, name] of Object.entries(NAMES) as [keyof Programs, string][]) {
    const path = await findProgram(name, ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/lib/execline/bin"]);
    if (path === undefined) missing.push(name);
    else found[key] = path;
  }
  for (const name of ["ip", "nft"]) if ((await findProgram(name)) === undefined) missing.push(name);
  if (missing.length > 0) {
    throw new PloyzError({
      code: "runtime_program_missing",
      message: `the process runtime needs ${missing.join(", ")}`,
      hint: "apt-get install s6 execline tini hostname util-linux iproute2 nftables",
      details: { programs: missing },
    });
  }
  return found as Programs;
}
