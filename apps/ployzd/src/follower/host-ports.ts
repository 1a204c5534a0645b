import {
  type Allowed,
  forbiddenHostPort,
  type GatewayView,
  hostPortText,
  samePort,
} from "@ployz/primitives/protocol";
import { applyHostPorts, type HostPortNetwork, type PublishedPort, printedHostPorts } from "@ployz/runtime";
import type { Logger } from "pino";
import { keepRules, PUT_BACK } from "./kept-rules.ts";
import type { Head } from "./project.ts";

/** A host port of a committed instance. */
export interface HostPortOf extends PublishedPort {
  /** NAMESPACE/SERVICE/PORT. */
  readonly backend: string;
  readonly instance: string;
}

/** Those of this machine. Of two with one port the older commit's stays, and what the configuration does not allow is left out. Pure. */
export function hostPortsOf(
  heads: readonly Head[],
  machine: string,
  allowed: Pick<Allowed, "hostPorts">,
): { readonly ports: readonly HostPortOf[]; readonly dropped: readonly string[] } {
  const ports: HostPortOf[] = [];
  const dropped: string[] = [];
  for (const { commit } of [...heads].sort((a, b) => a.revision - b.revision))
    for (const { id, service, machine: on, address: overlay, ports: listens } of commit.instances) {
      if (on !== machine) continue;
      for (const { protocol, port, address, to } of commit.services[service]?.spec.hostPorts ?? []) {
        const listen = listens[to];
        const published = { protocol, port, ...(address !== undefined && { address }) };
        const why =
          listen === undefined
            ? `the service has no port ${to}`
            : (forbiddenHostPort([published], allowed) ??
              (ports.some((other) => samePort(other, published))
                ? "an older commit has the port on this machine"
                : undefined));
        if (listen === undefined || why !== undefined)
          dropped.push(`${commit.namespace}/${service}: ${hostPortText(published)} (${why})`);
        else
          ports.push({
            ...published,
            to: { address: overlay, port: listen },
            backend: `${commit.namespace}/${service}/${to}`,
            instance: id,
          });
      }
    }
  return { ports, dropped };
}

/** Host ports, as this machine's packet filter serves them: without this process too. */
export interface HostPorts {
  apply(heads: readonly Head[]): Promise<void>;
  /** Those that are not served, each with the reason in brackets. */
  dropped(): readonly string[];
  view(): Promise<Pick<GatewayView, "routes" | "servers" | "dropped">>;
  close(): void;
}

export function openHostPorts(
  network: HostPortNetwork,
  {
    machine,
    allowed,
    log,
  }: { readonly machine: string; readonly allowed: Pick<Allowed, "hostPorts">; readonly log: Logger },
): HostPorts {
  let found: ReturnType<typeof hostPortsOf> | undefined;
  const rules = keepRules({
    name: "host ports",
    wanted: () =>
      found?.ports.map(
        ({ protocol, port, address, to }): PublishedPort => ({
          ...{ protocol, port, to },
          ...(address !== undefined && { address }),
        }),
      ),
    ports: () => (found?.ports ?? []).map(hostPortText),
    apply: (ports) => applyHostPorts(network, ports),
    printed: () => printedHostPorts(network),
    log,
  });
  const named = (why: string): readonly string[] =>
    (found?.ports ?? []).map(
      (port) => `${port.backend.split("/").slice(0, 2).join("/")}: ${hostPortText(port)} (${why})`,
    );
  return {
    apply: (heads) =>
      rules.apply(() => {
        found = hostPortsOf(heads, machine, allowed);
        if (found.dropped.length > 0) log.error({ dropped: found.dropped }, "host ports not served here");
      }),
    dropped: () => {
      const failed = rules.failed();
      return [...(found?.dropped ?? []), ...(failed === undefined ? [] : named(failed))];
    },
    view: () =>
      rules.view(({ there }) => {
        const ports = found?.ports ?? [];
        return {
          routes: ports.map(({ protocol, port, address, backend }) => ({
            place: `${address === undefined ? "" : `${address}:`}${port}/${protocol}`,
            ...{ kind: "host" as const, to: backend, httpsOnly: false, options: [] },
          })),
          servers: ports.map(({ backend, instance, to }) => ({
            ...{ backend, instance, ...to, state: "up" as const },
          })),
          dropped: there || rules.failed() !== undefined ? [] : named(PUT_BACK),
        };
      }),
    close: rules.close,
  };
}
