import type { DoctorReport } from "@ployz/primitives/client";
import type { Closed } from "@ployz/runtime";
import type { FollowerState } from "../host/follower-client.ts";
import { droppedOf } from "../mesh/handlers.ts";
import type { Drift, Kept } from "../mesh/upkeep.ts";
import type { ShippingState } from "../shipping/ship.ts";

type Check = DoctorReport["checks"][number];
export type Finding = Pick<Check, "state" | "found"> & { readonly fix?: string };

export const ok = (found: string): Finding => ({ state: "ok", found });
export const fail = (found: string, fix: string): Finding => ({ state: "fail", found, fix });
export const warn = (found: string, fix: string): Finding => ({ state: "warn", found, fix });

/** Put right so often since the start, a setting has another program that sets it. */
const FOUGHT = 3;

/** A sentence of the machine's upkeep that is about the mount of a volume. */
export const isOfVolume = (what: string): boolean => what.startsWith("volume ");
const ofNetwork = (what: string): boolean => !isOfVolume(what) && !what.startsWith("store: ");

/** Tunnel, routes, forwarding and packet filter, after they were put right. */
export function networkFinding(kept: Kept, seen: readonly Drift[]): Finding {
  const [repaired, remaining] = [kept.repaired.filter(ofNetwork), kept.remaining.filter(ofNetwork)];
  const drift = seen.filter(({ what }) => ofNetwork(what));
  if (remaining.length > 0)
    return fail(remaining.join("; "), "see the daemon's log; then run ployzctl daemon install");
  const [most] = drift;
  if (most !== undefined && most.times >= FOUGHT)
    return warn(
      `put back ${most.times} times, last at ${most.at}: ${most.what}`,
      most.what.includes("route")
        ? "another program removes routes: set ManageForeignRoutes=no in /etc/systemd/networkd.conf, or unmanaged-devices=interface-name:ployz* for NetworkManager"
        : "find the program that changes it: a firewall's service, or a script in cron",
    );
  if (repaired.length > 0)
    return warn(`put right just now: ${repaired.join("; ")}`, "find the program that changed it");
  return ok("tunnel, routes, bridge, forwarding and packet filter are in place");
}

export function firewallFinding(closed: readonly Closed[]): Finding {
  if (closed.length === 0) return ok("no filter of another program stands in the way");
  return fail(
    closed.map(({ where, loses }) => `${where} drops packets: ${loses.join(", ")}`).join("; "),
    closed.map(({ fix }) => fix).join("; "),
  );
}

/** How this machine's logs reach the server that its configuration names. */
export function shippingFinding(shipping: ShippingState | undefined): Finding {
  if (shipping === undefined) return ok("kept here; logs.forward in the configuration sends them");
  const { state, to, error, refused } = shipping;
  const left = refused === 0 ? "" : `; it refused ${refused} lines`;
  if (state === "ok" && error === undefined) return refused === 0 ? ok(to) : warn(`${to}${left}`, LOGS_HINT);
  const how = state === "late" ? "lines are more than a minute late" : "the last try failed";
  return warn(`${to}: ${how}${error === undefined ? "" : `: ${error}`}${left}`, LOGS_HINT);
}
const LOGS_HINT =
  "check that server, and logs.forward in /etc/ployz/config.toml; lines wait in the logs of this machine, as long as it keeps them";

/** The resolvers for names outside of the cluster, by the status of DNS. */
export function nameserversFinding(status: unknown): Finding {
  const { upstreams = [] } = (status ?? {}) as {
    readonly upstreams?: readonly { readonly address: string; readonly silent: boolean }[];
  };
  const silent = upstreams.filter((one) => one.silent).map(({ address }) => address);
  const all = upstreams.map(({ address }) => address).join(", ");
  // A cluster without a way out is a choice, and all else works.
  if (upstreams.length === 0)
    return warn(
      "none: instances resolve no name outside of the cluster",
      "write a nameserver into /etc/resolv.conf, or set dns_forward in /etc/ployz/config.toml",
    );
  if (silent.length === upstreams.length)
    return fail(`${all}: none answers`, "check the network to them, or name others in /etc/resolv.conf");
  return silent.length === 0
    ? ok(all)
    : warn(`${silent.join(", ")} of ${all} does not answer`, "remove it from /etc/resolv.conf");
}

export interface Disk {
  /** One folder on it. */
  readonly path: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Full: less than 1 GiB, or, on a small one such as a /run in memory, less than a tenth. */
export function disksFinding(disks: readonly Disk[]): Finding {
  const size = (bytes: number) =>
    bytes < 2 ** 30 ? `${Math.floor(bytes / 2 ** 20)} MiB` : `${Math.floor(bytes / 2 ** 30)} GiB`;
  const text = ({ path, freeBytes, totalBytes }: Disk) =>
    `${size(freeBytes)} of ${size(totalBytes)} free in ${path}`;
  const nearly = disks.filter(({ freeBytes, totalBytes }) => freeBytes < totalBytes / 10);
  const full = disks.filter(({ freeBytes, totalBytes }) => freeBytes < Math.min(2 ** 30, totalBytes / 10));
  if (full.length > 0) return fail(full.map(text).join("; "), "free disk space");
  if (nearly.length > 0) return warn(nearly.map(text).join("; "), "free disk space");
  return ok(disks.map(text).join("; "));
}

/** What a gateway or DNS serves, against the last commits that the daemon knows. */
export function servedFinding(
  { applied, status }: FollowerState,
  heads: readonly {
    readonly revision: number;
    readonly commit: { readonly namespace: string; readonly removed?: true };
  }[],
): Finding {
  const { state, down, policy } = (status ?? {}) as {
    readonly state?: string;
    readonly down?: readonly string[];
    readonly policy?: string;
  };
  if (state === "stopped") return fail("HAProxy does not run", "start it: ployzctl daemon install");
  const behind = heads
    .filter(({ commit, revision }) => (applied[commit.namespace] ?? 0) < revision)
    .map(
      ({ commit: { namespace }, revision }) =>
        `${namespace} at ${applied[namespace] ?? "none"}, not ${revision}`,
    );
  if (behind.length > 0)
    return fail(
      `serves older commits: ${behind.join(", ")}`,
      "see its log: /var/log/ployz; then: ployzctl daemon install",
    );
  const dropped = droppedOf(status);
  if (dropped.length > 0)
    return fail(
      `does not serve ${dropped.join(", ")}`,
      "free the port, or change the name or route, and deploy again",
    );
  if (policy === "changed")
    return fail(
      "another program changed the network policy; it is loaded again within 20 seconds",
      "find the program that changes nftables",
    );
  if (down !== undefined && down.length > 0)
    return warn(
      `servers are DOWN: ${down.join(", ")}`,
      "see why: ployzctl ps, and ployzctl logs of the service",
    );
  const names = heads.filter(({ commit }) => !commit.removed).map(({ commit }) => commit.namespace);
  return ok(`serves ${names.sort().join(", ") || "no namespace"}`);
}
