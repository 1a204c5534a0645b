import { PloyzError } from "@ployz/errors";
import type { Json } from "../model/json.ts";
import type { MachineRecord } from "../model/machine.ts";
import type { Remote, RemoteFacts, RemoteTarget } from "../ports/remote.ts";
import type { MemoryMachines } from "./memory-machines.ts";

/** One machine that SSH reaches, in or out of a cluster. Tests may read and change every field. */
export interface MemoryTarget {
  readonly host: string;
  reachable: boolean;
  /** What does not come from the fields below. */
  facts: Omit<RemoteFacts, "missingPackages" | "ployz">;
  /** Installed, of those that are needed. */
  readonly packages: Set<string>;
  /** What lies there, and the operation that put it there. */
  payload: { readonly version: string; readonly build: string; readonly operation?: string } | undefined;
  daemon: boolean;
  readonly keys: { readonly publicKey: string; readonly nkey: string };
  membership: { readonly cluster: string; readonly machine: string; readonly operation: string } | undefined;
  /** Every change, in order. Something already present is no change. */
  readonly effects: string[];
}

export interface MemoryRemoteOptions {
  readonly machines: MemoryMachines;
  readonly needs: readonly string[];
  readonly payload: { readonly version: string; readonly build: string };
}

export interface MemoryRemote extends Remote {
  readonly targets: ReadonlyMap<string, MemoryTarget>;
  /** A bare machine at this host. */
  add(host: string, hostname: string): MemoryTarget;
}

/** `Remote` in memory: targets with `sh`, apt and `ployzctl`. A target that joins becomes a machine of the cluster, and no longer is one when it leaves. */
export function createMemoryRemote(options: MemoryRemoteOptions): MemoryRemote {
  const targets = new Map<string, MemoryTarget>();

  async function reach({ host }: RemoteTarget, signal: AbortSignal): Promise<MemoryTarget> {
    await Promise.resolve();
    if (signal.aborted) throw signal.reason;
    const target = targets.get(host);
    if (target?.reachable === true) return target;
    throw new PloyzError({ code: "ssh_unreachable", message: `${host}: no answer` });
  }

  return {
    targets,
    add(host, hostname) {
      const target = bare(host, hostname, targets.size);
      targets.set(host, target);
      return target;
    },
    async facts(at, signal) {
      const { facts, packages, payload, membership } = await reach(at, signal);
      const { version, build } = payload ?? {};
      return structuredClone({
        ...facts,
        missingPackages: options.needs.filter((name) => !packages.has(name)),
        ...(version !== undefined &&
          build !== undefined && {
            ployz: {
              ...{ version, build },
              ...(membership && {
                cluster: membership.cluster,
                machine: membership.machine,
                joinedBy: membership.operation,
              }),
            },
          }),
      });
    },
    async installPackages(at, packages, _progress, signal) {
      const target = await reach(at, signal);
      for (const name of packages) {
        if (!target.packages.has(name)) target.effects.push(`install ${name}`);
        target.packages.add(name);
      }
    },
    async installPayload(at, operation, progress, signal) {
      const target = await reach(at, signal);
      if (target.payload?.build === options.payload.build) return { installed: false };
      progress(1, 1);
      target.payload = { ...options.payload, operation };
      target.effects.push("install payload");
      return { installed: true };
    },
    async removePayload(at, operation, signal) {
      const target = await reach(at, signal);
      if (target.payload?.operation !== operation) return;
      if (target.daemon)
        throw new PloyzError({ code: "remote_failed", message: "ployzd runs from the payload" });
      target.payload = undefined;
      target.effects.push("remove payload");
    },
    async ployzctl(at, args, stdin, signal) {
      const target = await reach(at, signal);
      if (target.payload === undefined) return { kind: "absent" };
      return command(target, args, stdin, options.machines);
    },
  };
}

function command(
  target: MemoryTarget,
  [group, verb, ...flags]: readonly string[],
  stdin: string | undefined,
  machines: MemoryMachines,
): Json {
  const needsDaemon = () => {
    if (!target.daemon)
      throw new PloyzError({ code: "daemon_unreachable", message: `${target.host}: no daemon` });
  };
  switch (`${group} ${verb}`) {
    case "daemon install":
      if (!target.daemon) target.effects.push(`install daemon ${flags.join(" ")}`);
      target.daemon = true;
      return { kind: "daemon" };
    case "daemon uninstall":
      if (target.daemon) target.effects.push("uninstall daemon");
      target.daemon = false;
      return { kind: "daemon" };
    case "mesh self-record":
      needsDaemon();
      return { kind: "self-record", ...target.keys, endpoints: [`${target.host}:51820`] };
    case "mesh join":
      needsDaemon();
      return join(target, stdin ?? "", machines);
    case "mesh leave":
      needsDaemon();
      return leave(target, machines);
    default:
      throw new PloyzError({ code: "usage", message: `unknown command: ${group} ${verb}` });
  }
}

function join(target: MemoryTarget, document: string, machines: MemoryMachines): Json {
  const { cluster, machine } = JSON.parse(document) as {
    readonly cluster: { readonly id: string };
    readonly machine: MachineRecord;
  };
  if (machine.publicKey !== target.keys.publicKey)
    throw new PloyzError({ code: "wrong_machine", message: "the seat is for another key" });
  const { membership } = target;
  if (membership?.cluster === cluster.id && membership.machine === machine.id) return { kind: "mesh" };
  if (membership !== undefined) throw new PloyzError({ code: "already_member", message: "left nothing yet" });
  target.membership = { cluster: cluster.id, machine: machine.id, operation: machine.operation };
  target.effects.push(`join as ${machine.id}`);
  const there = machines.all.find(({ id }) => id === machine.id) ?? machines.add(machine.id);
  there.reachable = true;
  return { kind: "mesh" };
}

function leave(target: MemoryTarget, machines: MemoryMachines): Json {
  const { membership } = target;
  if (membership === undefined) return { kind: "left", left: false };
  const there = machines.all.find(({ id }) => id === membership.machine);
  if (there !== undefined) there.reachable = false;
  target.effects.push(`leave as ${membership.machine}`);
  target.membership = undefined;
  return { kind: "left", left: true };
}

/** Keys of the right form that say which target they are of. */
function bare(host: string, hostname: string, n: number): MemoryTarget {
  const letter = String.fromCharCode("A".charCodeAt(0) + n);
  return {
    ...{ host, reachable: true, packages: new Set<string>(), payload: undefined, daemon: false },
    facts: {
      ...{ hostKey: `SHA256:${letter}`, hostname, os: "Debian GNU/Linux 12", arch: "x64", root: true },
      ...{ systemd: true, diskFreeBytes: 20 * 2 ** 30, packageManager: "apt", dockerRunning: false },
      ...{ portsTaken: [], routes: ["192.0.2.0/24"] },
    },
    keys: { publicKey: `${letter.repeat(42)}A=`, nkey: `U${letter.repeat(55)}` },
    ...{ membership: undefined, effects: [] },
  };
}
