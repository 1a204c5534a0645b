import { access, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Commands } from "@ployz/primitives/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mountpointOf } from "../src/participant/volumes/layout.ts";
import { fetchOffer } from "../src/transfer/server.ts";
import { Cut, cutHandlers } from "./cut.ts";
import { openPair, openPool, type Pair, PORT, type VolumeMachine, type Zpool } from "./volume-machine.ts";

if (process.env.PLOYZ_PLOYZD_LAB !== "1") throw new Error("run through test/lab.sh: pnpm test:lab");

/** Every sixth change in CI, all of them in the nightly suite. */
const STRIDE = Number(process.env.PLOYZ_FAULT_STRIDE ?? 6);

type Volume = `volume.${string}`;
type Name = Extract<keyof Commands, Volume>;

let zpool: Zpool;
let pair: Pair;
beforeAll(async () => {
  zpool = await openPool("cuts", 1024 * 2 ** 20);
  pair = await openPair(zpool, "cuts");
});
afterAll(async () => {
  await pair.close();
  await zpool.close();
});

const context = { signal: new AbortController().signal, progress: () => {} };
const single = { scope: "single" } as const;
const call = <N extends Name>(machine: VolumeMachine, name: N, args: Commands[N]["args"]) =>
  (machine.handlers[name] as (args: unknown, context: unknown) => Promise<Commands[N]["out"]>)(args, context);

/** What piles up would make each start slower. */
async function clear(): Promise<void> {
  for (const { storage } of [pair.a, pair.b]) {
    const { zfs, layout } = await storage.ready();
    for (const name of [`${layout.volumes}/ns`, layout.incoming, layout.retired]) {
      const below = (await zfs.listDatasets(name)).filter(
        (one) => one.name.split("/").length === name.split("/").length + 1,
      );
      for (const one of below) await zfs.destroyDataset(one.name, { recursive: true });
    }
  }
}

let volumes = 0;

/** A volume on `a` that holds a file, and what a test needs of it. */
async function volumeOn(machine: VolumeMachine) {
  const volume = { id: `ns.data.cut${++volumes}`, namespace: "ns", name: "data" };
  await call(machine, "volume.ensure", { ...volume, spec: single, operation: "made", create: true });
  await writeFile(fileOf(machine, volume.id), volume.id);
  const take = async (on: VolumeMachine, snapshot: string) => {
    const { guids } = await call(on, "volume.snapshot", { namespace: "ns", ids: [volume.id], snapshot });
    return { snapshot, guid: guids[volume.id] ?? "" };
  };
  return { volume, take };
}

const fileOf = (machine: VolumeMachine, id: string) => join(machine.dir, "volumes", id, "data", "file");

async function shape(machine: VolumeMachine, id: string) {
  const observed = await machine.handlers["machine.observe"]({ namespaces: ["ns"] }, context);
  const found = observed.volumes.filter((one) => one.id === id);
  const pool = await machine.storage.ready();
  const mounted = (await readFile("/proc/self/mounts", "utf8")).includes(
    ` ${mountpointOf(pool.layout, id)} `,
  );
  const content = await readFile(fileOf(machine, id), "utf8").catch(() => undefined);
  return { states: found.map(({ state }) => state), mounted, content };
}

/**
 * For changes that the command makes: the daemon dies before it, another one comes up, and the same command is sent again.
 * `prepare` makes a volume of its own for each.
 */
async function cutEverywhere<N extends Name>(
  machine: VolumeMachine,
  name: N,
  prepare: () => Promise<Commands[N]["args"]>,
  verify: (args: Commands[N]["args"], cut: boolean) => Promise<void>,
): Promise<number> {
  const remote = {
    machines: pair.machines,
    fetch: (other: string, token: string, signal: AbortSignal) =>
      fetchOffer(other === "m1" ? "127.0.1.1" : "127.0.1.2", PORT, token, signal),
  };
  for (let at = 0; ; at += STRIDE) {
    const args = await prepare();
    const handlers = cutHandlers(machine, remote, at);
    const run = handlers[name] as (args: unknown, context: unknown) => Promise<unknown>;
    const cut = await run(args, context).then(
      () => false,
      (error: unknown) => {
        if (error instanceof Cut) return true;
        throw error;
      },
    );
    if (cut) await machine.restart();
    await call(machine, name, args);
    await verify(args, cut);
    await clear();
    if (!cut) return at;
  }
}

describe("a daemon that dies before any change of the pool, and the same command again", () => {
  it("ensure", async () => {
    const { a } = pair;
    const cuts = await cutEverywhere(
      a,
      "volume.ensure",
      async () => {
        const volume = { id: `ns.data.cut${++volumes}`, namespace: "ns", name: "data" };
        return { ...volume, spec: { ...single, quotaBytes: 2 ** 24 }, operation: "op", create: true };
      },
      async ({ id }) => {
        expect(await shape(a, id)).toMatchObject({ states: ["active"], mounted: true });
        await access(join(a.dir, "volumes", id, "data"));
      },
    );
    expect(cuts).toBeGreaterThan(1);
  });

  it("seal, and then unseal", async () => {
    const { a } = pair;
    await cutEverywhere(
      a,
      "volume.seal",
      async () => ({ id: (await volumeOn(a)).volume.id, operation: "op" }),
      async ({ id }) => {
        expect(await shape(a, id)).toEqual({ states: ["sealed"], mounted: false, content: undefined });
      },
    );
    await cutEverywhere(
      a,
      "volume.unseal",
      async () => {
        const { id } = (await volumeOn(a)).volume;
        await call(a, "volume.seal", { id, operation: "op" });
        return { id, operation: "op" };
      },
      async ({ id }) => {
        expect(await shape(a, id)).toEqual({ states: ["active"], mounted: true, content: id });
      },
    );
  });

  it("snapshot of several, which leaves no other", async () => {
    const { a } = pair;
    await cutEverywhere(
      a,
      "volume.snapshot",
      async () => {
        const [one, two] = [await volumeOn(a), await volumeOn(a)];
        return { namespace: "ns", ids: [one.volume.id, two.volume.id], snapshot: `op-${volumes}` };
      },
      async ({ ids, snapshot }) => {
        for (const id of ids) {
          const seen = await call(a, "volume.snapshots", { id });
          expect(seen?.snapshots.map(({ name }) => name)).toEqual([snapshot]);
        }
      },
    );
  });

  const source = (id: string) => ({ source: { machine: pair.a.id, id }, operation: "op" });
  const pulled = async ({ id }: { id: string }) => {
    const { b } = pair;
    const seen = await call(b, "volume.snapshots", { id });
    expect(seen?.snapshots.at(-1)?.name).toBe("last");
    expect(await shape(b, id)).toMatchObject({ states: ["incoming"], mounted: false });
  };

  it("pull of all of it", async () => {
    const { a, b } = pair;
    await cutEverywhere(
      b,
      "volume.pull",
      async () => {
        const { volume, take } = await volumeOn(a);
        return { ...volume, ...source(volume.id), ...(await take(a, "last")) };
      },
      pulled,
    );
  });

  it("pull of the difference", async () => {
    const { a, b } = pair;
    await cutEverywhere(
      b,
      "volume.pull",
      async () => {
        const { volume, take } = await volumeOn(a);
        await call(b, "volume.pull", { ...volume, ...source(volume.id), ...(await take(a, "first")) });
        return { ...volume, ...source(volume.id), ...(await take(a, "last")) };
      },
      pulled,
    );
  });

  it("pull into a retired copy", async () => {
    const { a, b } = pair;
    await cutEverywhere(
      b,
      "volume.pull",
      async () => {
        const { volume, take } = await volumeOn(a);
        const first = await take(a, "first");
        await call(b, "volume.pull", { ...volume, ...source(volume.id), ...first, operation: "before" });
        await call(b, "volume.admit", { ...volume, spec: single, operation: "before", ...first });
        await call(b, "volume.retire", { id: volume.id, operation: "before" });
        return { ...volume, ...source(volume.id), ...(await take(a, "last")) };
      },
      async (args) => {
        await pulled(args);
        await call(b, "volume.discard", { id: args.id, operation: "op" });
        expect(await shape(b, args.id)).toMatchObject({ states: ["retired"], mounted: false });
      },
    );
  });

  it("pull beside a copy that had diverged, which is kept", async () => {
    const { a, b } = pair;
    await cutEverywhere(
      b,
      "volume.pull",
      async () => {
        const { volume, take } = await volumeOn(a);
        await call(b, "volume.ensure", { ...volume, spec: single, operation: "before", create: true });
        await writeFile(fileOf(b, volume.id), "only here");
        await take(b, "foreign");
        await call(b, "volume.retire", { id: volume.id, operation: "before" });
        return {
          ...volume,
          source: { machine: a.id, id: volume.id },
          operation: "op",
          ...(await take(a, "last")),
        };
      },
      async ({ id }) => {
        const { volumes: seen } = await b.handlers["machine.observe"]({ namespaces: ["ns"] }, context);
        const mine = seen.filter((one) => one.id.startsWith(id));
        expect(mine.map(({ state }) => state).sort()).toEqual(["incoming", "retired"]);
        const aside = mine.find(({ state }) => state === "retired")?.id ?? "";
        expect(aside).toMatch(/\.aside-\d+$/);
        expect((await call(b, "volume.snapshots", { id: aside }))?.snapshots.map(({ name }) => name)).toEqual(
          ["foreign"],
        );
      },
    );
  });

  it("admit, and discard after it", async () => {
    const { a, b } = pair;
    const incoming = async () => {
      const { volume, take } = await volumeOn(a);
      const last = await take(a, "last");
      await call(b, "volume.pull", {
        ...volume,
        operation: "op",
        source: { machine: a.id, id: volume.id },
        ...last,
      });
      return { ...volume, spec: single, operation: "op", ...last };
    };
    await cutEverywhere(b, "volume.admit", incoming, async ({ id }) => {
      expect(await shape(b, id)).toEqual({ states: ["active"], mounted: true, content: id });
    });
    await cutEverywhere(
      b,
      "volume.discard",
      async () => {
        const args = await incoming();
        await call(b, "volume.admit", args);
        return { id: args.id, operation: "op" };
      },
      async ({ id }) => {
        expect(await shape(b, id)).toEqual({ states: [], mounted: false, content: undefined });
      },
    );
  });

  it("retire", async () => {
    const { a } = pair;
    await cutEverywhere(
      a,
      "volume.retire",
      async () => ({ id: (await volumeOn(a)).volume.id, operation: "op" }),
      async ({ id }) => {
        expect(await shape(a, id)).toEqual({ states: ["retired"], mounted: false, content: undefined });
      },
    );
  });
});

describe("a standby", () => {
  /** A volume on `a` whose first snapshot `b` follows. */
  async function followed() {
    const { a, b } = pair;
    const { volume, take } = await volumeOn(a);
    const follow = { ...volume, operation: "op", source: { machine: a.id, id: volume.id } };
    const first = await take(a, snapshotOf("1"));
    await call(b, "volume.follow", { ...follow, ...first });
    return { volume, take, follow, first };
  }
  const snapshotOf = (end: string) => `standby-m2-${end.padStart(26, "0")}`;
  const copiesOn = async (machine: VolumeMachine, id: string) => {
    const { volumes: all } = await machine.handlers["machine.observe"]({ namespaces: ["ns"] }, context);
    return all.filter((one) => one.id.startsWith(id));
  };

  it("receives all of the volume, then differences, and is never mounted", async () => {
    const { a, b } = pair;
    await cutEverywhere(
      b,
      "volume.follow",
      async () => {
        const { volume, take } = await volumeOn(a);
        const follow = { ...volume, operation: "op", source: { machine: a.id, id: volume.id } };
        return { ...follow, ...(await take(a, snapshotOf("1"))) };
      },
      async ({ id }) => {
        expect(await shape(b, id)).toEqual({ states: ["retired"], mounted: false, content: undefined });
        expect(await copiesOn(b, id)).toMatchObject([{ standby: expect.stringContaining("T") }]);
      },
    );
    const { volume, take, follow } = await followed();
    const { id } = volume;
    await writeFile(fileOf(a, id), "later");
    const next = { ...follow, ...(await take(a, snapshotOf("2"))) };
    for (let n = 0; n < 2; n++) await call(b, "volume.follow", next);
    const kept = await call(b, "volume.snapshots", { id });
    expect(kept?.snapshots.map(({ name }) => name)).toEqual([snapshotOf("1"), snapshotOf("2")]);
    await clear();
  });

  it("becomes the volume, and is a standby again when that is undone", async () => {
    const { a, b } = pair;
    const takeover = async () => {
      const { volume, first } = await followed();
      return { ...volume, ...first, spec: single, operation: "op2" };
    };
    await cutEverywhere(b, "volume.takeover", takeover, async ({ id }) => {
      expect(await shape(b, id)).toEqual({ states: ["active"], mounted: true, content: id });
      const again = { id, namespace: "ns", name: "data", operation: "op", source: { machine: a.id, id } };
      const { guids } = await call(a, "volume.snapshot", { namespace: "ns", ids: [id], snapshot: "more" });
      const more = call(b, "volume.follow", { ...again, snapshot: "more", guid: guids[id] ?? "" });
      await expect(more).rejects.toMatchObject({ code: "volume_in_use" });
    });
    const args = await takeover();
    const { id, operation, snapshot, guid } = args;
    await call(b, "volume.takeover", args);
    await writeFile(fileOf(b, id), "of a candidate that was undone");
    for (let n = 0; n < 2; n++) await call(b, "volume.giveback", { id, operation, snapshot, guid });
    expect(await copiesOn(b, id)).toMatchObject([{ state: "retired", standby: expect.any(String) }]);
    const { guids } = await call(a, "volume.snapshot", { namespace: "ns", ids: [id], snapshot: "more-2" });
    const follow = { id, namespace: "ns", name: "data", operation: "op", source: { machine: a.id, id } };
    const next = { ...follow, snapshot: "more-2", guid: guids[id] ?? "" };
    expect(await call(b, "volume.follow", next)).toMatchObject({ base: snapshotOf("1") });
    await clear();
  });

  it("spares a move of the volume all but the last difference", async () => {
    const { a, b } = pair;
    const { volume, take, first } = await followed();
    await call(a, "volume.seal", { id: volume.id, operation: "move" });
    const pull = { ...volume, operation: "move", source: { machine: a.id, id: volume.id } };
    const last = await take(a, "last");
    expect(await call(b, "volume.pull", { ...pull, ...last })).toMatchObject({ base: first.snapshot });
    await call(b, "volume.discard", { id: volume.id, operation: "move" });
    expect(await copiesOn(b, volume.id)).toMatchObject([{ state: "retired", standby: expect.any(String) }]);
    await call(b, "volume.pull", { ...pull, ...last });
    await call(b, "volume.admit", { ...volume, spec: single, operation: "move", ...last });
    expect(await shape(b, volume.id)).toEqual({ states: ["active"], mounted: true, content: volume.id });
    await clear();
  });

  it("that has diverged is set aside, and all of the volume is received again", async () => {
    const { a, b } = pair;
    const { volume, take, follow } = await followed();
    const { zfs, layout } = await b.storage.ready();
    const dataset = `${layout.retired}/${volume.id}`;
    const stranger = await zfs.ensureSnapshot(`${dataset}@by-hand`);
    await call(a, "volume.unsnapshot", { ids: [volume.id], snapshots: [snapshotOf("1")] });
    const next = await take(a, snapshotOf("2"));
    expect(await call(b, "volume.follow", { ...follow, ...next })).toMatchObject({ base: null });
    const [standby, aside] = await copiesOn(b, volume.id);
    expect([standby?.standby, aside?.standby]).toEqual([expect.any(String), undefined]);
    const kept = await call(b, "volume.snapshots", { id: aside?.id ?? "" });
    expect(kept?.snapshots.map(({ guid }) => guid)).toContain(stranger.dataset.guid);
    await call(b, "volume.standdown", { namespace: "ns", name: "data" });
    await call(a, "volume.standdown", { namespace: "ns", name: "data", forget: ["m2"] });
    expect((await copiesOn(b, volume.id)).map((copy) => copy.standby)).toEqual([undefined, undefined]);
    expect((await call(a, "volume.snapshots", { id: volume.id }))?.snapshots).toEqual([]);
    await clear();
  });
});
