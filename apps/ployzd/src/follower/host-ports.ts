import {
  type Allowed,
  forbiddenHostPort,
  type GatewayView,
  hostPortText,
  samePort,
} from "@ployz/primitives/protocol";
import { applyHostPorts, type HostPortNetwork, type PublishedPort, printedHostPorts } from "@ployz/runtime";
import type { Logger } from "pino";
import { POLICY_CHECK_MS } from "../mesh/substrate.ts";
import { serialise } from "../state/files.ts";
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
  const inTurn = serialise();
  let found: ReturnType<typeof hostPortsOf> | undefined;
  let failed: string | undefined;
  let loaded: { readonly text: string; readonly printed: string } | undefined;
  const load = async (): Promise<void> => {
    if (found === undefined) return;
    const wanted = found.ports.map(
      ({ protocol, port, address, to }): PublishedPort => ({
        ...{ protocol, port, to },
        ...(address !== undefined && { address }),
      }),
    );
    const text = JSON.stringify(wanted);
    if (loaded?.text === text) return;
    loaded = undefined;
    try {
      loaded = { text, printed: await applyHostPorts(network, wanted) };
      failed = undefined;
      if (wanted.length > 0) log.info({ ports: wanted.map(hostPortText) }, "host ports");
    } catch (error) {
      failed = error instanceof Error ? error.message : String(error);
      log.error({ err: error }, "host ports");
    }
  };
  const look = async (): Promise<void> => {
    if (loaded !== undefined && (await printedHostPorts(network)) !== loaded.printed) {
      log.error("the rules of host ports were changed or gone; they are applied again");
      loaded = undefined;
    }
    await load();
  };
  const timer = setInterval(
    () => void inTurn(look).catch((error: unknown) => log.error({ err: error }, "host ports")),
    POLICY_CHECK_MS,
  );
  const named = (why: string): readonly string[] =>
    (found?.ports ?? []).map(
      (port) => `${port.backend.split("/").slice(0, 2).join("/")}: ${hostPortText(port)} (${why})`,
    );
  return {
    apply: (heads) =>
      inTurn(async () => {
        found = hostPortsOf(heads, machine, allowed);
        if (found.dropped.length > 0) log.error({ dropped: found.dropped }, "host ports not served here");
        await load();
      }),
    dropped: () => [...(found?.dropped ?? []), ...(failed === undefined ? [] : named(failed))],
    view: () =>
      inTurn(async () => {
        const ports = found?.ports ?? [];
        const there = (await printedHostPorts(network)) === loaded?.printed;
        return {
          routes: ports.map(({ protocol, port, address, backend }) => ({
            place: `${address === undefined ? "" : `${address}:`}${port}/${protocol}`,
            ...{ kind: "host" as const, to: backend, httpsOnly: false, options: [] },
          })),
          servers: ports.map(({ backend, instance, to }) => ({
            ...{ backend, instance, ...to, state: "up" as const },
          })),
          dropped:
            there || failed !== undefined
              ? []
              : named("its rules were changed; they are put back within 20 s"),
        };
      }),
    close: () => clearInterval(timer),
  };
}
