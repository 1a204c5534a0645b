import { sameJson } from "../engine/canonical.ts";
import { standbyOf } from "../model/standby.ts";
import type { StandbyCommands } from "../participant/standby-commands.ts";
import { fail, type Handlers, type MachineSetting, type MemoryMachine } from "./memory-participant.ts";

/** The standbys of one simulated machine. */
export function standbyHandlersOf(
  machine: MemoryMachine,
  setting: MachineSetting,
): Pick<Handlers, keyof StandbyCommands> {
  const { volumes } = machine;
  const changed = (what: string) => machine.effects.push(what);
  const now = () => new Date(setting.clock.now()).toISOString();
  return {
    "volume.follow": ({ source, snapshot, guid, operation, namespace, name, id }) => {
      const from = setting.peer(source.machine);
      if (from === undefined) return fail("machine_unreachable", `machine ${source.machine} does not answer`);
      const sent = from.volumes.get(source.id)?.snapshots;
      const wanted = sent?.get(snapshot);
      if (sent === undefined || wanted?.guid !== guid)
        return fail("snapshot_missing", `volume ${source.id} has no snapshot ${snapshot} of that guid`);
      const present = volumes.get(id);
      if (present !== undefined && present.state !== "retired")
        return fail("volume_in_use", `volume ${id} is ${present.state} on machine ${machine.id}`);
      if (present?.snapshots.get(snapshot)?.guid === guid) return { bytes: 0, ms: 0, base: snapshot };
      const kept = [...(present?.snapshots ?? [])];
      const base = kept.findLast(([called, one]) => sent.get(called)?.guid === one.guid);
      const common = base !== undefined && sameJson(base[1].content, present?.content ?? []);
      if (present !== undefined && !common) {
        const aside = `${id}.aside-${setting.newGuid()}`;
        volumes.set(aside, { ...present, id: aside, standby: undefined });
      }
      const copy =
        present !== undefined && common
          ? present
          : {
              ...{
                id,
                namespace,
                name,
                operation,
                guid: setting.newGuid(),
                spec: { scope: "single" as const },
              },
              ...{ state: "retired" as const, sealedBy: undefined, retiredAt: now(), wasRetired: false },
              ...{ standby: undefined, content: [], snapshots: new Map(), origin: undefined },
            };
      copy.content = wanted.content;
      copy.standby = wanted.createdAt;
      copy.snapshots.set(snapshot, wanted);
      volumes.set(id, copy);
      changed(`follow ${id}`);
      return { bytes: 1, ms: 1, base: common ? base[0] : null };
    },
    "volume.unfollow": () => null,
    "volume.takeover": ({ id, spec, operation, snapshot, guid }) => {
      const volume = volumes.get(id) ?? fail("volume_missing", `volume ${id} is not on ${machine.id}`);
      if (volume.state === "active" && volume.operation === operation) return { guid: volume.guid };
      if (volume.state !== "retired" || volume.standby === undefined)
        return fail("volume_sealed", `volume ${id} is ${volume.state}`);
      if ([...volume.snapshots].at(-1)?.[0] !== snapshot || volume.snapshots.get(snapshot)?.guid !== guid)
        return fail("transfer_unverified", `the newest snapshot of ${id} is not ${snapshot}`);
      volumes.set(id, { ...volume, state: "active", spec, operation, wasRetired: true });
      changed(`takeover ${id}`);
      return { guid: volume.guid };
    },
    "volume.giveback": ({ id, operation, snapshot }) => {
      const volume = volumes.get(id);
      if (volume?.state !== "active" || volume.operation !== operation) return null;
      const { content = [], createdAt = now() } = volume.snapshots.get(snapshot) ?? {};
      volumes.set(id, { ...volume, state: "retired", wasRetired: false, standby: createdAt, content });
      changed(`giveback ${id}`);
      return null;
    },
    "volume.standdown": ({ namespace, name, except, forget = [] }) => {
      for (const volume of volumes.values()) {
        if (volume.namespace !== namespace || volume.name !== name) continue;
        for (const snapshot of volume.snapshots.keys())
          if (forget.includes(standbyOf(snapshot) ?? "")) volume.snapshots.delete(snapshot);
        if (volume.id === except) continue;
        if (volume.standby !== undefined) changed(`standdown ${volume.id}`);
        volume.standby = undefined;
      }
      return null;
    },
  };
}
