import { randomInt } from "node:crypto";
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openServiceHost, type ServiceHost, stopS6, waitFor } from "@ployz/exec";
import { afterEach } from "vitest";
import {
  type Gateway,
  type GatewayOptions,
  openGateway,
  type RouteTable,
  type Server,
} from "../src/index.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

/** A gateway of its own per test: folder, supervisor, ports. Everything goes when the test ends, however it ends. */
export interface Lab {
  readonly gateway: Gateway;
  readonly port: number;
  readonly dir: string;
  readonly services: ServiceHost;
  upstream(name: string): Promise<Upstream>;
  /** Another caller over the same folder, as after a restart of the daemon. */
  reopen(): Promise<Gateway>;
  log(): Promise<string>;
}

const cleanups: (() => Promise<unknown> | unknown)[] = [];
export const later = (cleanup: () => Promise<unknown> | unknown): void => void cleanups.push(cleanup);

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The supervisor's last processes write into their folder for a moment after its stop. */
export async function removeFolder(path: string): Promise<void> {
  const remove = async (): Promise<true | undefined> => {
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
    return access(path).then(
      () => undefined,
      () => true,
    );
  };
  await waitFor(`${path} to be removed`, remove, { timeoutMs: 10_000, intervalMs: 50 });
}

/** Below the range that the kernel gives out: no connection takes it before HAProxy does (ip(7), ip_local_port_range). */
export async function freePort(): Promise<number> {
  const port = randomInt(10_000, 32_000);
  const probe = createServer();
  const taken = await new Promise<unknown>((resolve) => {
    probe.once("error", resolve).listen(port, "127.0.0.1", () => resolve(undefined));
  });
  if (taken !== undefined) return freePort();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export async function openLab({
  ipv6 = false,
  ...more
}: Partial<GatewayOptions> & { readonly ipv6?: boolean } = {}): Promise<Lab> {
  const root = await mkdtemp(join(tmpdir(), "ployz-gateway-"));
  later(() => removeFolder(root));
  const serviceDir = join(root, "services");
  const logDir = join(root, "log");
  const services = await openServiceHost({ kind: "s6", dir: serviceDir, logDir });
  later(() => stopS6(serviceDir));
  const port = await freePort();
  const dir = join(root, "gateway");
  const open = async (): Promise<Gateway> => {
    const listen = [`127.0.0.1:${port}`, ...(ipv6 ? [`[::1]:${port}`] : [])];
    const gateway = await openGateway({ dir, listen, services, ...more });
    later(() => gateway.close());
    return gateway;
  };
  const gateway = await open();
  later(() => gateway.stop());
  return {
    gateway,
    port,
    dir,
    services,
    reopen: open,
    log: () => readFile(join(logDir, "ployz-haproxy", "current"), "utf8"),
    async upstream(name) {
      const upstream = await startUpstream(name);
      later(() => upstream.kill());
      return upstream;
    },
  };
}

export const serverOf = (upstream: { readonly name: string; readonly port: number }): Server => ({
  id: upstream.name,
  address: "127.0.0.1",
  port: upstream.port,
});

/** One HTTP route per host, all on `/`. */
export function tableOf(version: string, hosts: Readonly<Record<string, readonly Server[]>>): RouteTable {
  const routes = Object.entries(hosts).map(([host, servers]) => ({
    kind: "http" as const,
    id: `route/${host}`,
    host,
    path: "/",
    backend: { id: `prod/${host}/http`, servers },
  }));
  return { version, routes };
}
