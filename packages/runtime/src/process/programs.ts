import { findProgram } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";

const NAMES = {
  runc: "runc",
  tini: "tini",
  tiniStatic: "tini-static",
  emptyenv: "emptyenv",
  redirfd: "redirfd",
  supervise: "s6-supervise",
  svc: "s6-svc",
  svwait: "s6-svwait",
  svstat: "s6-svstat",
  log: "s6-log",
  mkfifo: "mkfifo",
} as const;

/** Absolute paths of the programs used. */
export type Programs = Readonly<Record<keyof typeof NAMES, string>>;

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
      hint: "apt-get install runc s6 execline tini iproute2 nftables",
      details: { programs: missing },
    });
  }
  return found as Programs;
}
