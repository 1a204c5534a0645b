import type { Slot } from "./control.ts";
import type { Desired } from "./desired.ts";
import { socketAddress } from "./desired.ts";
import type { Saved } from "./generations.ts";
import { type Haproxy, isUnreachable } from "./haproxy.ts";
import { difference } from "./reconcile.ts";
import type { Route } from "./table.ts";
import { type HoldSlot, openWorker } from "./worker.ts";

/** HAProxy as it runs, against the table on disk. */
export interface GatewayStatus {
  readonly state: "running" | "stopped" | "absent";
  /** Of the table on disk, from which HAProxy starts. */
  readonly version?: string;
  readonly worker?: number;
  /** Workers that a reload replaced and that finish their connections. */
  readonly oldWorkers: readonly number[];
  /** How the running worker differs from the disk; absent when they agree. */
  readonly difference?: string;
  readonly servers: readonly ServerStatus[];
  /** Of the table on disk. */
  readonly routes: readonly RouteStatus[];
  /** Backends that are held, and how many requests wait there. */
  readonly holds: readonly { readonly backend: string; readonly waiting: number }[];
}

/** A route, without what its options hold. */
export interface RouteStatus {
  readonly id: string;
  /** Host and path, or port. */
  readonly place: string;
  /** Id of a backend, or the target of a redirect. */
  readonly to: string;
  readonly kind: Route["kind"];
  readonly httpsOnly: boolean;
  /** Names of its options. */
  readonly options: readonly string[];
}

/** A server as the running worker sees it. */
export interface ServerStatus {
  readonly backend: string;
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly state: "up" | "down" | "drained";
  readonly sessions: number;
}

export async function statusOf(
  haproxy: Haproxy,
  saved: Saved | undefined,
  projected: (saved: Saved) => Desired,
): Promise<GatewayStatus> {
  const processes = await haproxy.processes();
  const pid = processes?.workers[0];
  const base = {
    oldWorkers: processes?.oldWorkers ?? [],
    holds: [],
    routes: (saved?.table.routes ?? []).map(routeStatus),
    ...(saved && { version: saved.table.version }),
  };
  const silent = async (): Promise<GatewayStatus> => {
    const state = await haproxy.state();
    return { ...base, state: state === "running" ? "stopped" : state, servers: [] };
  };
  if (pid === undefined) return silent();
  try {
    return { ...base, state: "running", worker: pid, ...(await look(haproxy, pid, saved, projected)) };
  } catch (error) {
    // The worker ended after the master had named it.
    if (isUnreachable(error)) return silent();
    throw error;
  }
}

async function look(
  haproxy: Haproxy,
  pid: number,
  saved: Saved | undefined,
  projected: (saved: Saved) => Desired,
): Promise<Partial<GatewayStatus> & Pick<GatewayStatus, "servers">> {
  const worker = openWorker(haproxy.control, pid);
  const { slots, holds } = await worker.look();
  if (!saved) return { servers: [] };
  const desired = projected(saved);
  const structure = await worker.structure();
  const differs =
    structure === desired.structure
      ? difference(desired, slots, await worker.map())
      : "it runs an earlier structure than the one on disk";
  return {
    ...(differs !== undefined && { difference: differs }),
    servers: serverStates(desired, slots, saved.drained),
    holds: waitingAt(desired, holds),
  };
}

const routeStatus = (route: Route): RouteStatus => ({
  ...{ id: route.id, kind: route.kind },
  place: route.kind === "tcp" ? `tcp:${route.listenPort}` : `${route.host}${route.path}`,
  to: route.kind === "redirect" ? route.to : route.backend.id,
  httpsOnly: route.kind !== "tcp" && route.httpsOnly === true,
  options: route.kind === "http" ? Object.keys(route.options ?? {}).sort() : [],
});

/** Backends of one id differ in the options of their routes only. */
function waitingAt(desired: Desired, holds: readonly HoldSlot[]): GatewayStatus["holds"] {
  const found = new Map<string, number>();
  for (const { backend, on, waiting } of holds) {
    const id = desired.backends.find((one) => one.name === backend)?.id;
    if (on && id !== undefined) found.set(id, (found.get(id) ?? 0) + waiting);
  }
  return [...found].map(([backend, waiting]) => ({ backend, waiting }));
}

/** Servers that a hold has drained are up or down: the operation that holds is about to stop them, or has. */
function serverStates(
  desired: Desired,
  slots: readonly Slot[],
  drained: readonly string[],
): readonly ServerStatus[] {
  const bySocket = new Map(
    slots
      .filter((slot) => slot.admin !== "maint")
      .map((slot) => [`${slot.backend} ${socketAddress(slot)}`, slot]),
  );
  const found = new Map<string, ServerStatus>();
  for (const backend of desired.backends)
    for (const server of backend.servers) {
      const slot = bySocket.get(`${backend.name} ${socketAddress(server)}`);
      const { id, address, port } = server;
      const state = drained.includes(id) ? "drained" : slot?.up ? "up" : "down";
      const key = `${backend.id} ${id}`;
      const other = found.get(key);
      found.set(key, {
        ...{ backend: backend.id, id, address, port },
        state: other === undefined || other.state === "up" ? state : other.state,
        sessions: (other?.sessions ?? 0) + (slot?.sessions ?? 0),
      });
    }
  return [...found.values()];
}
