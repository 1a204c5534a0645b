import type { InstanceRow, NamespaceRow } from "@ployz/primitives/client";

type Service = NamespaceRow["commit"]["services"][string];

export interface ServiceView {
  readonly name: string;
  readonly service: Service | undefined;
  readonly instances: readonly InstanceRow[];
  readonly running: number;
  readonly wanted: number;
  readonly routes: readonly string[];
  readonly health: "stopped" | "suspended" | "good" | "degraded" | "down";
}

/** The services of a namespace with their instances. Pure. */
export function servicesOf(row: NamespaceRow, all: readonly InstanceRow[]): readonly ServiceView[] {
  const mine = all.filter(({ namespace }) => namespace === row.namespace);
  const names = new Set([...Object.keys(row.commit.services), ...mine.map(({ service }) => service)]);
  return [...names].sort().map((name) => {
    const service = Object.hasOwn(row.commit.services, name) ? row.commit.services[name] : undefined;
    const instances = mine
      .filter((one) => one.service === name)
      .sort((a, b) => a.slot - b.slot || a.id.localeCompare(b.id));
    const committed = instances.filter((one) => one.committed);
    const running = committed.filter(({ state }) => state === "running").length;
    return {
      ...{ name, service, instances, running, wanted: committed.length },
      routes: row.routes.filter((route) => route.service === name).map(routeText),
      health: healthOf(service, running, committed.length),
    };
  });
}

function healthOf(service: Service | undefined, running: number, wanted: number): ServiceView["health"] {
  if (service?.stopped) return "stopped";
  if (service?.suspended) return "suspended";
  if (running === wanted) return "good";
  return running === 0 ? "down" : "degraded";
}

export const routeText = (route: NamespaceRow["routes"][number]): string =>
  route.kind === "http"
    ? `${route.host}${route.path === "/" ? "" : route.path}`
    : `${route.kind} :${route.listen}`;
