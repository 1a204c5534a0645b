import { dirname, join } from "node:path";
import type { Config } from "../config/load.ts";

/** Every file and folder of a daemon, in one place. Under `dataDir`: survives a reboot. Under `runDir`: does not. */
export function pathsOf(config: Pick<Config, "dataDir" | "runDir" | "socket" | "file">) {
  const data = (...parts: string[]) => join(config.dataDir, ...parts);
  const run = (...parts: string[]) => join(config.runDir, ...parts);
  return {
    socket: config.socket,
    membership: data("membership.json"),
    /** The operation that ordered this machine to leave, until it has. */
    leaving: data("leaving.json"),
    /** What has to have signed a new build; install.sh looks there too. */
    releaseKey: join(dirname(config.file.path), "release.pub"),
    identity: data("identity"),
    wireguardKey: data("identity", "wireguard.key"),
    nkeySeed: data("identity", "nats.seed"),
    joinKey: data("identity", "join.key"),
    /** The changing calls that this machine has obeyed. */
    audit: data("logs", "audit.log"),
    fences: data("fences.json"),
    reservations: data("reservations.json"),
    stopped: data("stopped.json"),
    /** Values of the secrets of this machine's instances. */
    secrets: data("secrets"),
    instanceFiles: data("instance-files"),
    /** This machine's copies of the cluster's certificates. */
    certificates: data("certificates"),
    /** This machine's copies of the users of routes. */
    routeUsers: data("route-users"),
    /** The last switch to another build. */
    swap: data("swap.json"),
    mirror: data("mirror"),
    bundles: data("bundles"),
    images: data("images"),
    /** Unpacked layers of images, and instances' copies of them; with a pool their mountpoints. */
    layers: data("layers"),
    /** The images that Ployz gave the Docker engine. */
    engineImages: data("engine-images.json"),
    /** Mountpoints of active volumes. */
    volumes: data("volumes"),
    /** Pools on files, as `dev` makes one. */
    pools: data("pools"),
    instances: data("instances"),
    /** One-off instances, and the program that waits in them. */
    runs: data("runs"),
    pause: data("pause"),
    /** Mountpoints of clones while they are backed up, and restic's cache. */
    backups: data("backups", "mounts"),
    backupCache: data("backups", "cache"),
    store: data("store"),
    gateway: data("gateway"),
    dns: data("dns"),
    wireguard: data("wireguard"),
    logs: data("logs"),
    instanceLogs: data("logs", "instances"),
    /** How far the logs of this machine's instances were sent. */
    shipped: data("logs", "shipped.json"),
    /** The gateway's access log. */
    accessLog: data("logs", "access"),
    /** Logs of instances that were removed. */
    endedLogs: data("logs", "ended"),
    serviceLogs: data("logs", "services"),
    services: run("services"),
    instancesRun: run("instances"),
    /** Counts of hung instances; they start again at a reboot, as counts of restarts do. */
    hangs: run("hangs.json"),
    /** Programs that run for a caller. */
    streams: run("streams"),
    /** Programs that make backups, and the keys that they need meanwhile. */
    backupPrograms: run("backups", "programs"),
    backupKeys: run("backups", "keys"),
    gatewaySocket: run("gateway.sock"),
    dnsSocket: run("dns.sock"),
  };
}

export type Paths = ReturnType<typeof pathsOf>;
