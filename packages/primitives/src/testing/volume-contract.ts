import type { InstanceVolume } from "../participant/commands.ts";
import type { TestApi } from "./contract.ts";
import { unique } from "./store-contract.ts";
import { type Bench, benchOf, moved, single, type VolumeMachines } from "./volume-bench.ts";

const MIB = 2 ** 20;

/** What every participant must do with volumes: where data is, who may write to it, and commands that may be sent twice. */
export function volumeContract(open: () => Promise<VolumeMachines>, api: TestApi): void {
  const { describe, it, expect } = api;
  const test = (name: string, body: (bench: Bench) => Promise<void>) =>
    it(name, async () => {
      const opened = await open();
      try {
        await body(benchOf(opened));
      } finally {
        await opened.close();
      }
    });

  describe("volume contract", () => {
    test("ensure makes a volume once, and brings it to its spec", async ({ a, volume }) => {
      const { id, namespace } = volume;
      expect(
        await a.code("volume.ensure", { ...volume, spec: single, operation: "op1", create: false }),
      ).toBe("volume_missing");
      const made = await a.call("volume.ensure", { ...volume, spec: single, operation: "op1", create: true });
      for (const create of [true, false])
        expect(await a.call("volume.ensure", { ...volume, spec: single, operation: "op1", create })).toEqual(
          made,
        );
      const spec = { ...single, quotaBytes: 16 * MIB };
      expect(await a.call("volume.ensure", { ...volume, spec, operation: "op2", create: true })).toEqual(
        made,
      );
      const { storage, volumes } = await a.call("machine.observe", { namespaces: [namespace] });
      expect(volumes.map((one) => [one.id, one.state, one.guid, one.operation, one.quotaBytes])).toEqual([
        [id, "active", made.guid, "op1", 16 * MIB],
      ]);
      expect((storage?.promisedBytes ?? 0) >= 16 * MIB).toBe(true);
      expect((await a.call("machine.observe", { namespaces: ["other"] })).volumes).toEqual([]);
    });

    test("snapshots of several volumes are taken once, and removed where they are", async ({ a, volume }) => {
      const { id, namespace } = volume;
      const second = { ...volume, id: `${id}b`, name: "second" };
      for (const one of [volume, second])
        await a.call("volume.ensure", { ...one, spec: single, operation: "op1", create: true });
      const ids = [id, second.id];
      const taken = await a.call("volume.snapshot", { namespace, ids, snapshot: "op1" });
      expect(Object.keys(taken.guids).sort()).toEqual([...ids].sort());
      expect(await a.call("volume.snapshot", { namespace, ids, snapshot: "op1" })).toEqual(taken);
      await a.call("volume.snapshot", { namespace, ids: [id], snapshot: "op2" });
      expect(await a.snapshots(id)).toEqual(["op1", "op2"]);
      expect(await a.snapshots(second.id)).toEqual(["op1"]);
      for (let n = 0; n < 2; n++) await a.call("volume.unsnapshot", { ids, snapshots: ["op1", "never"] });
      expect([await a.snapshots(id), await a.snapshots(second.id)]).toEqual([["op2"], []]);
      expect(await a.call("volume.snapshots", { id: "ns.none.aaaaaaaa" })).toBe(null);
    });

    test("nothing runs on a sealed volume, and nothing seals one that is in use", async ({ a, volume }) => {
      const { id } = volume;
      await a.call("volume.ensure", { ...volume, spec: single, operation: "op1", create: true });
      const instance = await a.start([{ id, target: "/data", scope: "single" }]);
      expect(await a.code("volume.seal", { id, operation: "op2" })).toBe("volume_in_use");
      await a.call("instance.stop", { id: instance, graceMs: 0 });
      for (let n = 0; n < 2; n++) await a.call("volume.seal", { id, operation: "op2" });
      expect(await a.code("volume.seal", { id, operation: "op3" })).toBe("volume_sealed");
      expect(await a.code("instance.resume", { id: instance })).toBe("volume_sealed");
      await a.call("volume.unseal", { id, operation: "op3" });
      expect(await a.state(id)).toBe("sealed");
      for (let n = 0; n < 2; n++) await a.call("volume.unseal", { id, operation: "op2" });
      await a.call("instance.resume", { id: instance });
      expect(await a.code("volume.retire", { id, operation: "op2" })).toBe("volume_in_use");
    });

    test("a volume has one writer, or as many as it is made for", async ({ a, volume }) => {
      const shared = { ...volume, id: `${volume.id}s`, name: "shared" };
      await a.call("volume.ensure", { ...volume, spec: single, operation: "op1", create: true });
      await a.call("volume.ensure", { ...shared, spec: { scope: "shared" }, operation: "op1", create: true });
      const one: InstanceVolume = { id: volume.id, target: "/data", scope: "single" };
      const many: InstanceVolume = { id: shared.id, target: "/shared", scope: "shared" };
      const first = await a.start([one, many]);
      expect(await a.startCode([one])).toBe("volume_in_use");
      await a.start([many]);
      await a.call("instance.remove", { id: first });
      await a.start([one]);
      expect(await a.startCode([{ ...one, id: "ns.none.aaaaaaaa" }])).toBe("volume_missing");
    });

    test("a clone is of that very snapshot, and keeps it", async ({ a, volume }) => {
      const { id, namespace } = volume;
      await a.call("volume.ensure", { ...volume, spec: single, operation: "op1", create: true });
      const { guids } = await a.call("volume.snapshot", { namespace, ids: [id], snapshot: "op2" });
      const from = { id, snapshot: "op2", guid: guids[id] ?? "" };
      const target = { id: `${id}c`, namespace: unique("branch"), name: "data" };
      const clone = { ...target, spec: single, operation: "op2", from };
      expect(await a.code("volume.clone", { ...clone, from: { ...from, guid: "1" } })).toBe(
        "snapshot_missing",
      );
      const made = await a.call("volume.clone", clone);
      expect(await a.call("volume.clone", clone)).toEqual(made);
      expect(await a.code("volume.clone", { ...clone, operation: "op3" })).toBe("dataset_foreign");
      await a.call("volume.unsnapshot", { ids: [id], snapshots: ["op2"] });
      expect(await a.snapshots(id)).toEqual(["op2"]);
      await a.start([{ id: target.id, target: "/data", scope: "single" }]);
      await a.call("volume.discard", { id, operation: "op9" });
      expect(await a.state(id)).toBe("active");
    });

    test("moves: the whole once, then differences, and is writable only after it was verified", async (bench) => {
      const { a, b, volume } = bench;
      const { id } = volume;
      await a.call("volume.ensure", { ...volume, spec: single, operation: "op1", create: true });
      const first = await a.take(volume, "move-1");
      const pull = { ...volume, operation: "move", source: { machine: a.id, id } };
      expect(await b.code("volume.pull", { ...pull, snapshot: "move-1", guid: "1" })).toBe(
        "snapshot_missing",
      );
      expect((await b.call("volume.pull", { ...pull, ...first })).base).toBe(null);
      expect(await b.call("volume.pull", { ...pull, ...first })).toMatchObject({ bytes: 0, base: "move-1" });
      expect(await b.state(id)).toBe("incoming");
      expect(await b.startCode([{ id, target: "/data", scope: "single" }])).toBe("volume_sealed");
      await a.call("volume.seal", { id, operation: "move" });
      const last = await a.take(volume, "move-2");
      expect(await b.call("volume.pull", { ...pull, ...last })).toMatchObject({ base: "move-1" });
      const admit = { ...volume, spec: single, operation: "move", ...last };
      expect(await b.code("volume.admit", { ...admit, guid: first.guid })).toBe("transfer_unverified");
      expect(await b.code("volume.admit", { ...admit, operation: "other" })).toBe("dataset_foreign");
      const admitted = await b.call("volume.admit", admit);
      expect(await b.call("volume.admit", admit)).toEqual(admitted);
      expect(await b.call("volume.pull", { ...pull, ...last })).toMatchObject({ bytes: 0 });
      for (let n = 0; n < 2; n++) await a.call("volume.retire", { id, operation: "move" });
      expect([await a.state(id), await b.state(id)]).toEqual(["retired", "active"]);
      expect(await a.startCode([{ id, target: "/data", scope: "single" }])).toBe("volume_sealed");
      await b.start([{ id, target: "/data", scope: "single" }]);
    });

    test("a retired copy spares the way back, and is put back when that is undone", async (bench) => {
      const { a, b, volume } = bench;
      const { id } = volume;
      const there = await moved(bench, "there");
      const back = await b.take(volume, "back-1");
      const pull = { ...volume, operation: "back", source: { machine: b.id, id } };
      expect(await a.call("volume.pull", { ...pull, ...back })).toMatchObject({ base: there.snapshot });
      expect(await a.state(id)).toBe("incoming");
      await a.call("volume.discard", { id, operation: "other" });
      expect(await a.state(id)).toBe("incoming");
      for (let n = 0; n < 2; n++) await a.call("volume.discard", { id, operation: "back" });
      expect(await a.state(id)).toBe("retired");
      // The earlier content is not sent again.
      expect((await a.call("volume.pull", { ...pull, ...back })).base !== null).toBe(true);
      await a.call("volume.admit", { ...volume, spec: single, operation: "back", ...back });
      await a.call("volume.discard", { id, operation: "back" });
      expect(await a.state(id)).toBe("retired");
    });

    test("a diverged copy is set aside, never overwritten", async (bench) => {
      const { a, b, volume } = bench;
      const { id, namespace } = volume;
      await moved(bench, "there");
      await b.take(volume, "foreign");
      await b.call("volume.retire", { id, operation: "op5" });
      // The other machine's copy becomes the volume again, without the snapshot that only this one has.
      const again = { ...volume, id: `${id}x` };
      const { guid } = (await a.call("volume.snapshots", { id }))?.snapshots.at(-1) ?? { guid: "" };
      const from = { id, snapshot: "there", guid };
      await a.call("volume.clone", { ...again, spec: single, operation: "op6", from });
      const next = await a.take(again, "next");
      const source = { machine: a.id, id: again.id };
      expect(await b.call("volume.pull", { ...volume, operation: "op7", source, ...next })).toMatchObject({
        base: null,
      });
      const { volumes } = await b.call("machine.observe", { namespaces: [namespace] });
      expect(volumes.map(({ state }) => state).sort()).toEqual(["incoming", "retired"]);
      const aside = volumes.find(({ state }) => state === "retired");
      expect((await b.snapshots(aside?.id ?? "")).includes("foreign")).toBe(true);
      await b.call("volume.discard", { id, operation: "op7" });
      expect(await b.state(id)).toBe(undefined);
    });

    test("discard destroys what its operation made, and nothing else", async ({ a, b, volume }) => {
      const { id } = volume;
      await a.call("volume.discard", { id, operation: "op1" });
      await a.call("volume.ensure", { ...volume, spec: single, operation: "op1", create: true });
      const first = await a.take(volume, "op2");
      await a.call("volume.discard", { id, operation: "op2" });
      expect(await a.state(id)).toBe("active");
      const pull = { ...volume, source: { machine: a.id, id }, ...first };
      expect(
        await b.code("volume.pull", {
          ...pull,
          operation: "op2",
          source: { machine: a.id, id: "ns.none.a" },
        }),
      ).toBe("snapshot_missing");
      await b.call("volume.pull", { ...pull, operation: "op2" });
      // Another operation resumes with the data that a dead one has received.
      expect(await b.call("volume.pull", { ...pull, operation: "op3" })).toMatchObject({ bytes: 0 });
      await b.call("volume.discard", { id, operation: "op2" });
      expect(await b.state(id)).toBe("incoming");
      await b.call("volume.discard", { id, operation: "op3" });
      expect(await b.state(id)).toBe(undefined);
      await a.call("volume.discard", { id, operation: "op1" });
      expect(await a.state(id)).toBe(undefined);
      await b.call("volume.ensure", { ...volume, spec: single, operation: "op4", create: true });
      await a.call("volume.ensure", { ...volume, spec: single, operation: "op5", create: true });
      const onto = {
        ...volume,
        operation: "op5",
        source: { machine: a.id, id },
        ...(await a.take(volume, "op5")),
      };
      expect(await b.code("volume.pull", onto)).toBe("volume_in_use");
    });
  });
}
