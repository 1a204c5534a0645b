import { waitFor } from "@ployz/exec";
import type { Cluster } from "./cluster.ts";

export interface DaemonStatus {
  readonly pid: number;
  readonly services: readonly { readonly name: string; readonly state: string; readonly pid?: number }[];
  readonly adoption: {
    readonly adopted: readonly string[];
    readonly recreated: readonly { readonly what: string }[];
    readonly removed: readonly { readonly what: string }[];
    readonly failed: readonly unknown[];
  };
}

export interface Instances {
  readonly instances: readonly {
    readonly id: string;
    readonly machine: string;
    readonly address: string;
    readonly state: string;
    readonly committed: boolean;
  }[];
  readonly unreachable: readonly string[];
}

export interface Status {
  readonly store: { readonly state: string };
  readonly machines: readonly { readonly record: { readonly id: string }; readonly reachable: boolean }[];
  readonly warnings: readonly { readonly message: string; readonly hint: string }[];
}

export const HOST = "www.example.test";

/** Polls a condition, and prints how long it took. */
export async function within<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined>,
): Promise<T> {
  const start = performance.now();
  const found = await waitFor(what, () => probe().catch(() => undefined), { timeoutMs, intervalMs: 100 });
  console.log(`${what}: ${Math.round(performance.now() - start)} ms`);
  return found;
}

export const daemonStatus = (cluster: Cluster, i: number): Promise<DaemonStatus> =>
  cluster.json<DaemonStatus>(i, ["daemon", "status"]);

/** Until the daemon of machine `i` answers, which it does once it has adopted; on a busy host that takes seconds. */
export const daemonUp = (cluster: Cluster, i: number, butPid?: number): Promise<DaemonStatus> =>
  within(`the daemon of m${i} answers`, 20_000, async () => {
    const status = await daemonStatus(cluster, i);
    return status.pid === butPid ? undefined : status;
  });

export const storeConnected = (cluster: Cluster, i: number): Promise<true> =>
  within(`m${i} has the store`, 20_000, async () =>
    (await cluster.json<{ store?: string }>(i, ["mesh", "status"])).store === "connected" ? true : undefined,
  );

/** Processes of machine `i` whose command line matches, numbered as the machine sees them. */
export async function pids({ lab }: Cluster, i: number, pattern: string): Promise<readonly string[]> {
  const { stdout } = await lab.sh(i, ["pgrep", "-f", pattern], { okExitCodes: [0, 1] });
  return stdout.trim().split("\n").filter(Boolean);
}

/** Everything of machine `i` that must not change when its daemon dies: services and workloads with their processes. */
export async function dataPlane(cluster: Cluster, i: number): Promise<unknown> {
  const { services } = await daemonStatus(cluster, i);
  return {
    services: services.filter(({ name }) => name !== "ployzd"),
    workloads: await pids(cluster, i, "server.mjs"),
    // Without the state and its padding: a bridge shows UNKNOWN until the kernel has checked it.
    addresses: (await cluster.lab.sh(i, ["ip", "-brief", "address"])).stdout.replaceAll(
      / +(?:UNKNOWN|UP|DOWN) +/g,
      " ",
    ),
    peers: (await cluster.lab.sh(i, ["wg", "show", "ployz-wg0", "peers"])).stdout,
  };
}

export async function killService(cluster: Cluster, i: number, name: string): Promise<void> {
  const { services } = await daemonStatus(cluster, i);
  const pid = services.find((service) => service.name === name)?.pid;
  if (pid === undefined) throw new Error(`${name} does not run on m${i}`);
  await cluster.lab.sh(i, ["kill", "-9", String(pid)]);
}

/** The versions that answered `count` requests through the gateway of machine `i`, and their addresses. */
export async function answers(cluster: Cluster, i: number, count = 6) {
  const seen: { version: string; address: string }[] = [];
  for (let n = 0; n < count; n++) {
    const { status, body } = await cluster.get(i, HOST);
    if (status !== 200) throw new Error(`m${i} answered ${status}: ${body}`);
    seen.push(JSON.parse(body) as { version: string; address: string });
  }
  return {
    versions: [...new Set(seen.map(({ version }) => version))].sort(),
    addresses: [...new Set(seen.map(({ address }) => address))].sort(),
  };
}
