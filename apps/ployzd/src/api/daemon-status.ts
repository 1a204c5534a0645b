import { errorBody } from "@ployz/errors";
import type { DaemonStatus } from "@ployz/primitives/client";
import type { Daemon } from "../daemon/daemon.ts";

/** This machine's daemon: its services, and what it adopted at its start. */
export async function daemonStatus(daemon: Daemon): Promise<DaemonStatus> {
  const member = daemon.present();
  const names = await daemon.services.list();
  const services = await Promise.all(
    names.map(async (name) => {
      const { state, pid } = await daemon.services.status(name);
      return { name, state, ...(pid !== undefined && { pid }) };
    }),
  );
  const failure = daemon.failure();
  const membership = member?.membership() ?? failure?.membership;
  return {
    kind: "daemon",
    running: true,
    version: daemon.payload.version,
    config: daemon.config.file,
    pid: process.pid,
    uptimeMs: Date.now() - daemon.startedAt,
    ...(membership !== undefined && { cluster: membership.cluster.name, machine: membership.machine.id }),
    ...(failure !== undefined && { down: errorBody(failure.error) }),
    memoryBytes: process.memoryUsage().rss,
    serviceHost: daemon.services.kind,
    services,
    adoption: member?.adoption() ?? {
      at: new Date(daemon.startedAt).toISOString(),
      adopted: [],
      recreated: [],
      removed: [],
      failed: [],
    },
  };
}
