import { sameJson } from "../engine/canonical.ts";
import type { ObservedVolume, VolumeIdentity } from "../model/observation.ts";
import type { Commands } from "../participant/commands.ts";
import type { StandbyCommands } from "../participant/standby-commands.ts";
import {
  fail,
  type Handlers,
  type MachineSetting,
  type MemoryMachine,
  refuseWhenDraining,
} from "./memory-participant.ts";
import type { MemoryVolume } from "./memory-volume.ts";

type VolumeCommands =
  | Exclude<Extract<keyof Commands, `volume.${string}`>, keyof StandbyCommands>
  | "gateway.hold";

/** The volumes of one simulated machine. A copy that has run on is never overwritten, a snapshot with a clone never removed. */
export function volumeHandlersOf(
  machine: MemoryMachine,
  setting: MachineSetting,
): Pick<Handlers, VolumeCommands> {
  const { volumes } = machine;
  const changed = (what: string) => machine.effects.push(what);
  const now = () => new Date(setting.clock.now()).toISOString();
  const there = (id: string) =>
    volumes.get(id) ?? fail("volume_missing", `volume ${id} is not on machine ${machine.id}`);
  const unused = (id: string) => {
    const user = [...machine.instances.values()].find(
      ({ start, state }) => state === "running" && start.volumes?.some((volume) => volume.id === id),
    );
    if (user !== undefined) fail("volume_in_use", `${user.start.id} runs on volume ${id}`);
  };
  const retired = (namespace: string) =>
    [...volumes.values()].flatMap((one) =>
      machine.prunes && one.namespace === namespace && one.state === "retired" && one.standby === undefined
        ? [one.id]
        : [],
    );
  const make = (
    identity: VolumeIdentity,
    more: Pick<MemoryVolume, "spec" | "operation"> & Partial<MemoryVolume>,
  ): MemoryVolume => {
    const { id, namespace, name } = identity;
    const made: MemoryVolume = {
      ...{ id, namespace, name },
      state: "active",
      guid: setting.newGuid(),
      sealedBy: undefined,
      retiredAt: undefined,
      wasRetired: false,
      standby: undefined,
      content: [],
      snapshots: new Map(),
      origin: undefined,
      ...more,
    };
    volumes.set(id, made);
    return made;
  };
  const mine = (volume: MemoryVolume, operation: string, what: string) => {
    if (volume.operation !== operation)
      fail("dataset_foreign", `volume ${volume.id} was not ${what} by this`);
  };

  return {
    "volume.snapshots": ({ id }) => {
      const volume = volumes.get(id);
      if (volume === undefined) return null;
      const listed = [...volume.snapshots].map(([name, { guid, createdAt }]) => ({ name, guid, createdAt }));
      return { snapshots: listed.map((one) => ({ ...one, usedBytes: 0 })) };
    },
    "volume.ensure": async ({ spec, operation, create, ...identity }) => {
      const present = volumes.get(identity.id);
      if (present === undefined) {
        if (!create) return fail("volume_missing", `volume ${identity.id} is not on machine ${machine.id}`);
        await refuseWhenDraining(machine, setting);
        changed(`create ${identity.id}`);
        return { guid: make(identity, { spec, operation }).guid };
      }
      if (present.state !== "active")
        return fail("volume_sealed", `volume ${identity.id} is ${present.state}`);
      if (JSON.stringify(present.spec) !== JSON.stringify(spec)) changed(`configure ${identity.id}`);
      present.spec = spec;
      return { guid: present.guid };
    },
    "volume.snapshot": ({ ids, snapshot }) => {
      const guids = ids.map((id) => {
        const volume = there(id);
        const present = volume.snapshots.get(snapshot);
        if (present !== undefined) return [id, present.guid] as const;
        const guid = setting.newGuid();
        volume.snapshots.set(snapshot, { guid, content: volume.content, createdAt: now() });
        changed(`snapshot ${id}`);
        return [id, guid] as const;
      });
      return { guids: Object.fromEntries(guids) };
    },
    "volume.unsnapshot": ({ ids, snapshots }) => {
      for (const id of ids) {
        for (const snapshot of snapshots) {
          const origin = `${id}@${snapshot}`;
          if ([...volumes.values()].some((volume) => volume.origin === origin)) continue;
          if (volumes.get(id)?.snapshots.delete(snapshot) === true) changed(`unsnapshot ${id}`);
        }
      }
      return null;
    },
    "volume.clone": async ({ from, spec, operation, ...identity }) => {
      const present = volumes.get(identity.id);
      if (present !== undefined) {
        mine(present, operation, "cloned");
        return { guid: present.guid };
      }
      const snapshot = there(from.id).snapshots.get(from.snapshot);
      if (snapshot?.guid !== from.guid)
        return fail("snapshot_missing", `volume ${from.id} has no snapshot ${from.snapshot} of that guid`);
      await refuseWhenDraining(machine, setting);
      changed(`clone ${identity.id}`);
      const { content } = snapshot;
      return {
        guid: make(identity, { spec, operation, content, origin: `${from.id}@${from.snapshot}` }).guid,
      };
    },
    "volume.seal": ({ id, operation }) => {
      const volume = there(id);
      if (volume.state === "sealed" && volume.sealedBy === operation) return null;
      if (volume.state !== "active") return fail("volume_sealed", `volume ${id} is ${volume.state}`);
      unused(id);
      volume.state = "sealed";
      volume.sealedBy = operation;
      changed(`seal ${id}`);
      return null;
    },
    "volume.unseal": ({ id, operation }) => {
      const volume = volumes.get(id);
      if (volume?.state !== "sealed" || volume.sealedBy !== operation) return null;
      volume.state = "active";
      volume.sealedBy = undefined;
      changed(`unseal ${id}`);
      return null;
    },
    "volume.pull": async ({ source, snapshot, guid, operation, namespace, name, id }) => {
      const from = setting.peer(source.machine);
      if (from === undefined) return fail("machine_unreachable", `machine ${source.machine} does not answer`);
      const sent = from.volumes.get(source.id)?.snapshots;
      const wanted = sent?.get(snapshot);
      if (sent === undefined || wanted?.guid !== guid)
        return fail("snapshot_missing", `volume ${source.id} has no snapshot ${snapshot} of that guid`);
      const present = volumes.get(id);
      const whole = present?.snapshots.get(snapshot)?.guid === guid;
      const used = present?.state === "active" || present?.state === "sealed";
      if (whole && used) return { bytes: 0, ms: 0, base: snapshot };
      const kept = [...(present?.snapshots ?? [])];
      const base = kept.findLast(([called, { guid }]) => sent.get(called)?.guid === guid);
      // Newer ones that the source has not do not matter while they hold nothing more.
      const common = base !== undefined && sameJson(base[1].content, kept.at(-1)?.[1].content ?? []);
      let copy = present;
      if (copy?.state !== "incoming") await refuseWhenDraining(machine, setting);
      if (present !== undefined && used)
        return fail(
          present.state === "active" ? "volume_in_use" : "volume_sealed",
          `volume ${id} is ${present.state} on machine ${machine.id}`,
        );
      if (present !== undefined && !common) {
        volumes.delete(id);
        const aside = `${id}.aside-${setting.newGuid()}`;
        volumes.set(aside, { ...present, id: aside, state: "retired" });
        copy = undefined;
      }
      copy ??= make({ id, namespace, name }, { spec: { scope: "single" }, operation, state: "incoming" });
      if (copy.state === "retired")
        copy = make({ id, namespace, name }, { ...copy, state: "incoming", operation, wasRetired: true });
      // A finished operation has left it: the received data is as good.
      if (copy.operation !== operation) copy = make({ id, namespace, name }, { ...copy, operation });
      if (whole) return { bytes: 0, ms: 0, base: snapshot };
      copy.content = wanted.content;
      copy.snapshots.set(snapshot, wanted);
      changed(`pull ${id}`);
      return { bytes: 1, ms: 1, base: common ? base[0] : null };
    },
    "volume.admit": ({ id, spec, operation, snapshot, guid }) => {
      const volume = there(id);
      mine(volume, operation, "received");
      if (volume.state === "active") return { guid: volume.guid };
      if (volume.state !== "incoming") return fail("volume_sealed", `volume ${id} is ${volume.state}`);
      if (volume.snapshots.get(snapshot)?.guid !== guid)
        return fail("transfer_unverified", `the newest snapshot of ${id} is not ${snapshot}`);
      volume.state = "active";
      volume.standby = undefined;
      volume.spec = spec;
      changed(`admit ${id}`);
      return { guid: volume.guid };
    },
    "volume.discard": ({ id, operation }) => {
      const volume = volumes.get(id);
      if (volume === undefined || volume.operation !== operation || volume.state === "retired") return null;
      unused(id);
      changed(`discard ${id}`);
      if (volume.wasRetired) {
        volume.state = "retired";
        volume.wasRetired = false;
      } else volumes.delete(id);
      return null;
    },
    "volume.retire": ({ id }) => {
      const volume = volumes.get(id);
      if (volume === undefined || volume.state === "retired") return null;
      unused(id);
      volume.state = "retired";
      volume.sealedBy = undefined;
      volume.retiredAt = now();
      changed(`retire ${id}`);
      return null;
    },
    "volume.expired": ({ namespace }) => ({ names: retired(namespace), blocked: [], freedBytes: 0 }),
    "volume.prune": ({ namespace }) => {
      if (!machine.prunes) return { destroyed: [], blocked: [], freedBytes: 0 };
      const destroyed = retired(namespace);
      for (const id of destroyed) {
        volumes.delete(id);
        changed(`destroy ${id}`);
      }
      return { destroyed, blocked: [], freedBytes: 0 };
    },
    "gateway.hold": () => ({ held: true }),
  };
}

/** What `instance.start` checks and does on its volumes. */
export function useVolumes(
  machine: MemoryMachine,
  setting: MachineSetting,
  start: Commands["instance.start"]["args"],
): void {
  for (const { id, scope } of start.volumes ?? []) {
    const volume = machine.volumes.get(id);
    if (volume === undefined) fail("volume_missing", `volume ${id} is not on machine ${machine.id}`);
    else {
      if (volume.state !== "active") fail("volume_sealed", `volume ${id} is ${volume.state}`);
      const user = [...machine.instances.values()].find(
        (other) =>
          other.state === "running" &&
          other.start.id !== start.id &&
          other.start.volumes?.some((used) => used.id === id),
      );
      if (scope === "single" && user !== undefined)
        fail("volume_in_use", `${user.start.id} runs on volume ${id}`);
      // What must never be: a test that finds it among the effects has found a split brain.
      if (setting.writtenElsewhere(machine.id, id)) machine.effects.push(`split ${id}`);
      volume.content = [...volume.content, start.id];
    }
  }
}

export function observedVolume(volume: MemoryVolume): ObservedVolume {
  const { id, namespace, name, state, guid, operation, spec, retiredAt, standby } = volume;
  return {
    ...{ id, namespace, name, state, guid, operation },
    usedBytes: 0,
    referencedBytes: 0,
    ...(spec.quotaBytes !== undefined && { quotaBytes: spec.quotaBytes }),
    ...(retiredAt !== undefined && { retiredAt }),
    ...(standby !== undefined && state === "retired" && { standby }),
  };
}
