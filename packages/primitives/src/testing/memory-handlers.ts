import { sameJson } from "../engine/canonical.ts";
import type { SecretRef } from "../model/commit.ts";
import { FEATURES } from "../model/features.ts";
import { DEFAULT_HOST_PORTS } from "../model/host-ports.ts";
import { backupHandlersOf } from "./memory-backups.ts";
import { imageHandlersOf } from "./memory-images.ts";
import {
  fail,
  type Handlers,
  type MachineSetting,
  type MemoryMachine,
  observed,
  refuseWhenDraining,
} from "./memory-participant.ts";
import { standbyHandlersOf } from "./memory-standbys.ts";
import { updateHandlersOf } from "./memory-update.ts";
import { observedVolume, useVolumes, volumeHandlersOf } from "./memory-volumes.ts";

const named = (secrets: Readonly<Record<string, SecretRef>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(secrets).map(([variable, { namespace, name, version }]) => [
      variable,
      `${namespace}/${name}@${version}`,
    ]),
  );

/** The participant of one simulated machine. Every changing command may be sent twice. */
export function handlersOf(machine: MemoryMachine, setting: MachineSetting): Handlers {
  const { clock, registry } = setting;
  const changed = (what: string) => machine.effects.push(what);
  const instance = (id: string) =>
    machine.instances.get(id) ?? fail("instance_missing", `there is no instance ${id} on ${machine.id}`);
  const release = (id: string) => {
    if (machine.reservations.delete(id)) changed(`release ${id}`);
    return null;
  };
  const remove = (id: string) => {
    machine.secrets.delete(id);
    if (machine.instances.delete(id)) changed(`remove ${id}`);
    return release(id);
  };
  const reserve = (id: string) => {
    const taken = new Set(machine.reservations.values());
    for (let host = 2; host < 255; host++) {
      const address = `${setting.subnet}.${host}`;
      if (taken.has(address)) continue;
      machine.reservations.set(id, address);
      changed(`reserve ${id}`);
      return { address };
    }
    return fail("no_address", `machine ${machine.id} has no free address`);
  };

  return {
    "machine.observe": async ({ namespaces }) => ({
      machine: machine.id,
      version: "0.0.0",
      build: machine.build,
      runtime: machine.runtime,
      runtimeVersion: "memory",
      arch: "x64",
      cpus: machine.cpus,
      memoryBytes: machine.memoryBytes,
      features: FEATURES,
      allowed: { capabilities: [], hostPorts: DEFAULT_HOST_PORTS },
      memoryFreeBytes: machine.memoryBytes - (1 << 28) * machine.instances.size,
      diskFreeBytes: machine.diskFreeBytes,
      draining: machine.draining || (await setting.closed(machine.id)),
      ...(machine.storage && {
        storage: {
          root: "tank/ployz",
          availableBytes: 100 * 2 ** 30,
          usedBytes: 0,
          promisedBytes: [...machine.volumes.values()]
            .filter(({ state }) => state === "active")
            .reduce((sum, { spec }) => sum + (spec.quotaBytes ?? 0), 0),
          promisableBytes: 100 * 2 ** 30,
        },
      }),
      volumes: [...machine.volumes.values()]
        .map(observedVolume)
        .filter((one) => namespaces === undefined || namespaces.includes(one.namespace)),
      load1: machine.load1,
      instances: [...machine.instances.values()]
        .map(observed)
        .filter((one) => namespaces === undefined || namespaces.includes(one.namespace)),
      problems: [],
    }),
    "operation.running": ({ operation }) => ({ running: setting.isRunning(machine.id, operation) }),
    "operation.abort": ({ operation }) => ({ running: setting.isRunning(machine.id, operation) }),
    "image.resolve": ({ ref }) => {
      if (machine.images.has(ref)) return { digest: ref, sizeBytes: 0 };
      return registry.get(ref) ?? null;
    },
    "image.list": () => ({ images: [] }),
    ...imageHandlersOf(machine),
    "bundle.resolve": ({ digest }) => (machine.bundles.has(digest) ? { sizeBytes: 1_000 } : null),
    "transfer.offer": (offer) => {
      if (offer.kind === "volume") {
        const there = machine.volumes.get(offer.id)?.snapshots.has(offer.snapshot) === true;
        return there ? { token: `offer-${offer.id}@${offer.snapshot}` } : null;
      }
      if (offer.kind === "payload")
        return machine.build === offer.digest ? { token: `offer-${offer.digest}` } : null;
      if (offer.kind === "blob") return null;
      const { kind, digest } = offer;
      const there = (kind === "image" ? machine.images : machine.bundles).has(digest);
      return there ? { token: `offer-${digest}` } : null;
    },
    "instance.logs": ({ id, tail }) => ({
      lines: (setting.behaviour(instance(id).start).logs ?? []).slice(-tail),
    }),
    "image.ensure": ({ ref, digest }) => {
      if (machine.images.has(digest)) return { transferredBytes: 0 };
      const found = registry.get(ref);
      if (found?.digest !== digest) return fail("image_missing", `no machine and no registry has ${ref}`);
      machine.images.add(digest);
      changed(`image ${digest}`);
      return { transferredBytes: found.sizeBytes };
    },
    "bundle.ensure": ({ digest }) => {
      if (machine.bundles.has(digest)) return { transferredBytes: 0 };
      machine.bundles.add(digest);
      changed(`bundle ${digest}`);
      return { transferredBytes: 1_000 };
    },
    "instance.reserve": async ({ id }) => {
      const address = machine.reservations.get(id);
      if (address !== undefined) return { address };
      await refuseWhenDraining(machine, setting);
      return reserve(id);
    },
    "instance.release": ({ id }) => release(id),
    "instance.secrets": async ({ id, secrets }) => {
      await setting.haveSecrets(Object.values(secrets));
      machine.secrets.set(id, named(secrets));
      return null;
    },
    "instance.start": (start) => {
      const present = machine.instances.get(start.id);
      if (present !== undefined) return { startedAt: present.startedAt };
      if (machine.reservations.get(start.id) !== start.address) {
        return fail("not_reserved", `${start.address} is not reserved for ${start.id} on ${machine.id}`);
      }
      if (!sameJson(machine.secrets.get(start.id) ?? {}, named(start.secrets ?? {})))
        return fail("secrets_missing", `the secrets of ${start.id} are not on ${machine.id}`);
      useVolumes(machine, setting, start);
      const { exitCode, ready } = setting.behaviour(start);
      const exits = start.kind === "job" ? exitCode !== undefined || ready === "yes" : ready === "exits";
      const startedAt = new Date(clock.now()).toISOString();
      machine.instances.set(start.id, { start, state: exits ? "exited" : "running", startedAt });
      changed(`start ${start.id}`);
      return { startedAt };
    },
    "instance.ready": async ({ id, ready }, { signal }) => {
      const { start, state } = instance(id);
      const { ready: becomes, logs = [] } = setting.behaviour(start);
      if (state === "exited") return fail("instance_exited", `${id} exited`, { logs });
      if (becomes === "yes") return { readyMs: 0 };
      await clock.sleep(ready.timeoutMs, signal);
      if (signal.aborted) throw signal.reason;
      return fail("not_ready", `${id} was not ready within ${ready.timeoutMs} ms`, { logs });
    },
    "instance.wait": async ({ id, timeoutMs, interactive }, { signal }) => {
      const { exitCode = 0, ready, logs = [] } = setting.behaviour(instance(id).start);
      if (ready === "never") {
        await clock.sleep(timeoutMs, signal);
        return fail("deadline_exceeded", `job ${id} did not end within ${timeoutMs} ms`, { logs });
      }
      if (exitCode !== 0 && interactive !== true)
        return fail("job_failed", `job ${id} exited with ${exitCode}`, { exitCode, logs });
      return { exitCode };
    },
    "instance.stop": ({ id }) => {
      const one = machine.instances.get(id);
      if (one?.state === "running") changed(`stop ${id}`);
      if (one !== undefined) one.state = "exited";
      return null;
    },
    "instance.resume": ({ id }) => {
      const one = machine.instances.get(id);
      if (one?.state !== "exited") return null;
      useVolumes(machine, setting, one.start);
      changed(`resume ${id}`);
      one.state = "running";
      return null;
    },
    "instance.retire": ({ id }) => remove(id),
    "instance.remove": ({ id }) => remove(id),
    ...volumeHandlersOf(machine, setting),
    ...standbyHandlersOf(machine, setting),
    ...backupHandlersOf(machine, setting),
    ...updateHandlersOf(machine, setting),
    "publish.await": () => ({ gateway: "applied", dns: "applied" }),
    "machine.leave": ({ operation }) => {
      changed(`leave for ${operation}`);
      machine.instances.clear();
      machine.reservations.clear();
      machine.reachable = false;
      return { kept: [...machine.volumes.keys()] };
    },
    "membership.await": async () => ({ peers: ((await setting.members())?.length ?? 1) - 1 }),
    "membership.handshake": async ({ machines }) => {
      const members = (await setting.members()) ?? [machine.id, ...machines];
      const peered = members.includes(machine.id);
      const missing = machines.filter((id) => !peered || !members.includes(id) || !setting.answers(id));
      if (missing.length > 0)
        return fail("no_handshake", `no handshake with ${missing.join(", ")}`, { missing });
      return { handshakes: Object.fromEntries(machines.map((id) => [id, 0])) };
    },
    "network.policy": () => ({ policy: "loaded" }),
    "gateway.show": () => ({
      ...{ state: "absent", commits: [], routes: [], servers: [], holds: [], certificates: [], dropped: [] },
      oldWorkers: 0,
    }),
    "certificate.order": ({ names, operation }) => {
      const sealed = `c${operation.toLowerCase()}`;
      if (names.some((name) => name.endsWith(".refused.test")))
        return fail("certificate_refused", `the authority refuses ${names.join(", ")}: no such name`);
      changed(`order ${names.join(" ")}`);
      return {
        certificate: {
          ...{ name: names[0] ?? "", names, issuer: "memory", fingerprint: sealed, method: "http-01" },
          ...{ notBefore: "2026-01-01T00:00:00Z", notAfter: "2026-04-01T00:00:00Z" },
        },
        sealed: { namespace: "certificates", name: sealed, version: "1" },
      };
    },
    "certificate.forget": ({ sealed }) => {
      changed(`forget ${sealed}`);
      return null;
    },
    "certificate.serve": ({ name }) => {
      changed(`serve ${name}`);
      return { served: true };
    },
    "certificate.challenge": () => null,
    "certificate.ensure": ({ hosts }) => {
      const refused = hosts.find((host) => host.endsWith(".refused.test"));
      if (refused !== undefined)
        return fail("certificate_refused", `the authority refuses ${refused}: no such name`);
      changed(`ensure ${hosts.join(" ")}`);
      return { issued: hosts };
    },
    "machine.rtt": ({ machines }) => ({ rttMs: Object.fromEntries(machines.map((id) => [id, 1])) }),
  };
}
