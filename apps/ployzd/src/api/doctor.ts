import { Resolver } from "node:dns/promises";
import { stat, statfs } from "node:fs/promises";
import { errorBody } from "@ployz/errors";
import { findProgram, pause } from "@ployz/exec";
import { findServer } from "@ployz/nats-store";
import type { ClusterStatus, DoctorReport, MachineRow } from "@ployz/primitives/client";
import { unreadable } from "@ployz/primitives/host";
import { type PathVerdict, probePath, probeWireguard } from "@ployz/wireguard";
import type { Daemon } from "../daemon/daemon.ts";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import { askFollower } from "../host/follower-client.ts";
import { pathTooNarrow } from "../mesh/handlers.ts";
import { localEndpoints } from "../mesh/identity.ts";
import type { Upkeep } from "../mesh/upkeep.ts";
import type { Storage } from "../participant/volumes/storage.ts";
import type { Paths } from "../state/paths.ts";
import { crashWarnings } from "../warnings/crash-loops.ts";
import {
  type Disk,
  disksFinding,
  type Finding,
  fail,
  firewallFinding,
  isOfVolume,
  nameserversFinding,
  networkFinding,
  ok,
  servedFinding,
  shippingFinding,
  warn,
} from "./findings.ts";
import { clusterStatus } from "./status.ts";
import { announcedBy, instanceList } from "./views.ts";

type Check = DoctorReport["checks"][number];
const SETTLE_MS = 2_000;

/** Checks this machine and its view of the cluster. Puts back this machine's own settings, as the daemon does by itself. */
export async function examine(daemon: Daemon, signal: AbortSignal): Promise<DoctorReport> {
  const { config, payload, paths } = daemon;
  const member = daemon.present();
  const ask = (socket: string) =>
    askFollower(socket, undefined, AbortSignal.any([signal, AbortSignal.timeout(5_000)]));
  /** A follower may be at a commit that has just come: asked twice. */
  const served = async (socket: string): Promise<Finding> => {
    const look = async () => servedFinding(await ask(socket), member?.heads() ?? []);
    try {
      const first = await look();
      if (first.state === "ok") return first;
      await pause(SETTLE_MS, signal);
      return await look();
    } catch (error) {
      return fail(errorBody(error).message, "start it: ployzctl daemon install");
    }
  };
  let looked: Promise<ClusterStatus> | undefined;
  /** All machines, observed once for all checks. */
  const look = (): Promise<ClusterStatus> => {
    looked ??= clusterStatus(daemon.member(), signal);
    return looked;
  };
  const checks: readonly Promise<Check>[] = [
    check("wireguard", "WireGuard", async () => {
      const support = await probeWireguard();
      return support.mode === "none"
        ? fail(support.reason, support.hint)
        : support.mode === "kernel"
          ? ok("in the kernel")
          : warn("wireguard-go (no kernel module)", "a kernel with WireGuard is several times faster");
    }),
    ...["haproxy", "nft", "ip", "s6-svscan"].map((program) =>
      check(program, program, async () => {
        const path = await findProgram(program);
        const pkg = { nft: "nftables", ip: "iproute2", "s6-svscan": "s6" }[program] ?? program;
        return path === undefined ? fail("not installed", `apt-get install ${pkg}`) : ok(path);
      }),
    ),
    check("nats-server", "nats-server", async () =>
      ok((await findServer(config.natsServer ?? payload.natsServer)).version),
    ),
    check("disk", "disks", async () => disksFinding(await disksOf(paths, config.dataDir))),
    check("volumes", "volumes", async () =>
      config.zfsRoot === undefined
        ? warn(
            "no ZFS dataset configured: stateless services only",
            "ployzctl daemon install --zfs-root POOL/ployz",
          )
        : lookAtVolumes(daemon.storage, member?.upkeep),
    ),
    ...(member === undefined
      ? [
          check("mesh", "mesh", async () => {
            const failure = daemon.failure();
            if (failure !== undefined) throw failure.error; // reported with its own fix
            return warn("this machine is not in a cluster", "create one: ployzctl mesh init NAME");
          }),
        ]
      : [
          check("runtime", "runtime", async () => {
            const { kind, version, limits } = await member.substrate.runtime.facts();
            return limits
              ? ok(`${kind} ${version}`)
              : warn(
                  `${kind} ${version}, resource limits are not enforced`,
                  "mount the cpu and memory cgroup controllers",
                );
          }),
          check("interface", "tunnel", async () => {
            const status = await member.substrate.wireguard.status();
            return status?.up === true
              ? ok(`${status.mode}, ${status.peers.length} peers`)
              : fail("down", "restart the daemon");
          }),
          check("path", "long packets", async () => lookAtPaths(member, (await look()).machines, signal)),
          check("metrics", "metrics", async () => {
            const { listen, error } = member.metrics;
            if (error !== undefined)
              return warn(
                `not served at ${listen}: ${error}`,
                "free the port, or set metrics.listen in the configuration; then restart the daemon",
              );
            return ok(listen === undefined ? "turned off" : `http://${listen}/metrics`);
          }),
          check("logs", "logs", async () => shippingFinding(member.shipping?.())),
          check("endpoints", "endpoints", async () => {
            const { cluster, machine } = member.membership();
            const here = localEndpoints(config, { exclude: [cluster.clusterCidr] });
            // One known endpoint suffices: behind NAT a machine has others that are not on its interfaces.
            return here.length === 0 || here.some((one) => machine.endpoints.includes(one))
              ? ok(machine.endpoints.join(", ") || "none: this machine sends first")
              : warn(
                  `the cluster knows ${machine.endpoints.join(", ") || "none"}, and this machine now has ${here.join(", ")}`,
                  "publish them: ployzctl mesh endpoints",
                );
          }),
          check("store", "store", async () => {
            await member.upkeep.look();
            const full = member.substrate.storeBlocked();
            if (full !== undefined) return fail(full.message, full.hint ?? "");
            return (await takesWrite(member))
              ? ok(`connected: generation ${member.membership().cluster.generation} on ${storesOf(member)}`)
              : fail(
                  "takes no write: changes are refused; workloads keep running",
                  `run ployzctl store status, and check ${member.membership().storeServers.join(", ")}`,
                );
          }),
          check("records", "records", async () => {
            const [first, ...more] = await member.records.list();
            if (first === undefined) return ok("all can be read");
            const { message, hint = "" } = unreadable(first);
            const others = more.map(({ key }) => key).join(", ");
            return fail(more.length === 0 ? message : `${message}; and ${others}`, hint);
          }),
          check("instances", "instances", async () => {
            const { instances } = instanceList(
              { heads: member.heads(), announced: await announcedBy(member) },
              (await look()).machines,
              undefined,
            );
            const [first, ...more] = crashWarnings(instances, Date.now());
            if (first === undefined) return ok("none restarts again and again");
            return warn(
              first.message + (more.length === 0 ? "" : ` (and ${more.length} more services)`),
              first.hint,
            );
          }),
          check("network", "network", async () =>
            networkFinding(await member.upkeep.look(), member.upkeep.drift()),
          ),
          check("firewall", "firewall", async () => firewallFinding(await member.substrate.closedFilters())),
          check("gateway", "gateway", () => served(paths.gatewaySocket)),
          check("dns", "DNS", () => served(paths.dnsSocket)),
          check("names", "names", () => lookAtNames(member)),
          check("nameservers", "nameservers", async () =>
            nameserversFinding((await ask(paths.dnsSocket)).status),
          ),
          check("cluster", "cluster", async () => {
            const { warnings } = await look();
            const [first, ...more] = warnings;
            if (first === undefined) return ok("nothing to report");
            const rest = more.length === 0 ? "" : ` (and ${more.length} more: ployzctl status)`;
            return warn(`${first.message}${rest}`, first.hint);
          }),
        ]),
  ];
  const done = await Promise.all(checks);
  return { kind: "doctor", ok: done.every(({ state }) => state !== "fail"), checks: done };
}

/** Opens the pool if the daemon could not: after a repair of the pool, doctor makes the machine's volumes available again. */
async function lookAtVolumes(storage: Storage, upkeep: Upkeep | undefined): Promise<Finding> {
  await storage.ready();
  const repaired = (await upkeep?.look())?.repaired.filter(isOfVolume) ?? [];
  const [problem] = storage.problems();
  if (problem === undefined && repaired.length > 0)
    return warn(`put right just now: ${repaired.join("; ")}`, "find the program that unmounted it");
  return problem === undefined
    ? ok(storage.root ?? "")
    : fail(problem, "check zpool status and zfs mount, then restart the daemon");
}

/** The disks that hold state of this machine, each once. */
async function disksOf(paths: Paths, dataDir: string): Promise<readonly Disk[]> {
  const folders = [
    ...[dataDir, paths.store, paths.mirror, paths.gateway, paths.bundles, paths.instances],
    ...[paths.instanceLogs, paths.serviceLogs, paths.services],
  ];
  const disks = new Map<number, Disk>();
  for (const path of folders) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || disks.has(found.dev)) continue;
    const { bavail, bsize, blocks } = await statfs(path);
    disks.set(found.dev, { path, freeBytes: bavail * bsize, totalBytes: blocks * bsize });
  }
  return [...disks.values()];
}

/** Asks this machine's DNS for a committed service, as a workload does. */
async function lookAtNames(member: Member): Promise<Finding> {
  const heads = member.heads().filter(({ commit }) => !commit.removed);
  const [first] = heads.flatMap(({ commit }) => commit.instances.map((instance) => ({ commit, instance })));
  if (first === undefined) return ok("no service yet");
  const { namespace, instances } = first.commit;
  const { service } = first.instance;
  const name = `${service}.${namespace}.cluster.local`;
  const wanted = instances.filter((one) => one.service === service).map(({ address }) => address);
  const resolver = new Resolver({ timeout: 2_000, tries: 1 });
  resolver.setServers([member.membership().machine.address]);
  const found = await resolver
    .resolve4(name)
    .catch((error: NodeJS.ErrnoException) => [error.code ?? "error"]);
  const [is, should] = [found.sort().join(", "), wanted.sort().join(", ")];
  return is === should
    ? ok(`${name} is ${is}`)
    : fail(`${name} is ${is}, not ${should}`, "restart DNS: ployzctl daemon install");
}

/** A lease of this machine's own, taken and given back. */
async function takesWrite({ store, membership, storeConnected }: Member): Promise<boolean> {
  if (!storeConnected()) return false;
  const { id } = membership().machine;
  try {
    const taken = await store.leases.acquire(`doctor.${id}`, { operation: "doctor", machine: id }, 5_000);
    if (taken.acquired) await store.leases.release(taken.lease);
    return true;
  } catch {
    return false;
  }
}

/** TCP uses the smaller MTU of the two; packets of that length must arrive. */
async function lookAtPaths(
  member: Member,
  machines: readonly MachineRow[],
  signal: AbortSignal,
): Promise<Finding> {
  const { mtu } = member.substrate.network;
  const self = member.membership().machine.id;
  const seen = await Promise.all(
    machines
      .filter(({ record }) => record.id !== self)
      .map(async ({ record: { id, address }, observation }) => ({
        id,
        verdict: await probePath(address, Math.min(mtu, observation?.mtu ?? mtu), { signal }),
      })),
  );
  const of = (wanted: PathVerdict) => seen.flatMap(({ id, verdict }) => (verdict === wanted ? [id] : []));
  const [blocked, silent] = [of("blocked"), of("unknown")];
  if (blocked.length > 0) {
    const { message, hint = "" } = pathTooNarrow(blocked.join(", "), mtu);
    return fail(message, hint);
  }
  const unknown = silent.length > 0 ? `; no answer from ${silent.join(", ")}` : "";
  if (seen.length === 0) return ok(`up to ${mtu} bytes; there is no other machine`);
  return ok(`up to ${mtu} bytes to ${of("passes").join(", ") || "nobody"}${unknown}`);
}

const storesOf = (member: Member): string =>
  member
    .membership()
    .machines.filter(({ store }) => store)
    .map(({ id }) => id)
    .join(", ");

async function check(id: string, title: string, look: () => Promise<Finding>): Promise<Check> {
  try {
    return { id, title, ...(await look()) };
  } catch (error) {
    const hint = error instanceof PloyzError ? error.hint : undefined;
    return {
      id,
      title,
      ...fail(error instanceof Error ? error.message : String(error), hint ?? "see the daemon's log"),
    };
  }
}
