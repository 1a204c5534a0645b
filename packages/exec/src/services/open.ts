import { access } from "node:fs/promises";
import { s6Host } from "./s6.ts";
import { systemdHost } from "./systemd.ts";
import type { ServiceHost } from "./types.ts";

/** Which supervisor to use, and where s6 keeps its folders. */
export interface ServiceHostOptions {
  /** Default: systemd where it is PID 1, else s6. */
  readonly kind?: "systemd" | "s6";
  /** s6's scan directory, e.g. /run/ployz/services. */
  readonly dir: string;
  readonly logDir: string;
  /** Default /etc/systemd/system. */
  readonly unitDir?: string;
}

/** The supervisor of this machine. /run/systemd/system exists exactly where systemd is PID 1: sd_booted(3). */
export async function openServiceHost(options: ServiceHostOptions): Promise<ServiceHost> {
  const kind =
    options.kind ??
    (await access("/run/systemd/system").then(
      () => "systemd" as const,
      () => "s6" as const,
    ));
  return kind === "systemd"
    ? systemdHost(options.unitDir)
    : s6Host({ dir: options.dir, logDir: options.logDir });
}
