import { randomBytes } from "node:crypto";
import { readdir, readFile, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorBody } from "@ployz/errors";
import { run } from "@ployz/exec";
import { type Commands, emptyCommit, type Json } from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCopy } from "../src/participant/volumes/copies.ts";
import { keepMounts } from "../src/participant/volumes/keep.ts";
import { leaveVolumes } from "../src/participant/volumes/leave.ts";
import { volumeHandlers } from "../src/participant/volumes/open.ts";
import { openStorage } from "../src/participant/volumes/storage.ts";
import { settleStrays } from "../src/participant/volumes/strays.ts";
import { openPair, openPool, type Pair, type VolumeMachine, type Zpool } from "./volume-machine.ts";

if (process.env.PLOYZ_PLOYZD_LAB !== "1") throw new Error("run through test/lab.sh: pnpm test:lab");

const MIB = 2 ** 20;
const DAY_MS = 86_400_000;
let zpool: Zpool;
let pair: Pair;
beforeAll(async () => {
  zpool = await openPool("data");
  pair = await openPair(zpool, "data");
});
afterAll(async () => {
  await pair.close();
  await zpool.close();
});

const never = new AbortController().signal;
const context = { signal: never, progress: () => {} };
const whenBytesCome = (then: (value: { readonly done: number }) => void) => (value: Json) => {
  const said = value as { readonly done: number };
  if (said.done > 0) then(said);
};
const single = { scope: "single" } as const;
type Name = Extract<keyof Commands, `volume.${string}` | `instance.${string}` | `machine.observe`>;
const call = <N extends Name>(machine: VolumeMachine, name: N, args: Commands[N]["args"], more = {}) =>
  (machine.handlers[name] as (args: unknown, context: unknown) => Promise<Commands[N]["out"]>)(args, {
    ...context,
    ...more,
  });
const code = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => errorBody(error).code,
  );

let count = 0;
async function volumeOn(machine: VolumeMachine, spec: object = {}, operation = "made") {
  const namespace = `ns${++count}`;
  const volume = { id: `${namespace}.data.aaaaaaaa`, namespace, name: "data" };
  await call(machine, "volume.ensure", { ...volume, spec: { ...single, ...spec }, operation, create: true });
  return volume;
}
const folder = (machine: VolumeMachine, id: string) => join(machine.dir, "volumes", id, "data");
async function take(
  machine: VolumeMachine,
  { id, namespace }: { id: string; namespace: string },
  snapshot: string,
) {
  const { guids } = await call(machine, "volume.snapshot", { namespace, ids: [id], snapshot });
  return { snapshot, guid: guids[id] ?? "" };
}
async function statesOf(machine: VolumeMachine, namespace: string) {
  const { volumes } = await call(machine, "machine.observe", { namespaces: [namespace] });
  return Object.fromEntries(volumes.map(({ id, state }) => [id, state]));
}
async function startOn(
  machine: VolumeMachine,
  volume: { id: string; namespace: string },
  command: string[],
  user?: string,
) {
  const id = `${volume.namespace}.db.0.${++count}`;
  const { address } = await call(machine, "instance.reserve", { id });
  await call(machine, "instance.start", {
    ...{ id, address, namespace: volume.namespace, service: "db", slot: 0, revision: "r", operation: "op" },
    ...{ kind: "job", env: {}, stopGraceMs: 100, command, ...(user !== undefined && { user }) },
    volumes: [{ id: volume.id, target: "/var/lib/db", scope: "single" }],
  });
  return id;
}
async function job(
  machine: VolumeMachine,
  volume: { id: string; namespace: string },
  script: string,
  user?: string,
) {
  const id = await startOn(machine, volume, ["sh", "-c", script], user);
  await call(machine, "instance.wait", { id, timeoutMs: 20_000 });
  await call(machine, "instance.remove", { id });
}

describe("data of instances", () => {
  it("is written as the service's user, moves with its owners, and is there for the next instance", async () => {
    const { a, b } = pair;
    const volume = await volumeOn(a);
    await job(a, volume, "id -u > /var/lib/db/one && mkdir /var/lib/db/sub");
    expect((await stat(folder(a, volume.id))).uid).toBe(65_534);
    // No longer empty: existing files keep their owner.
    expect(await code(job(a, volume, "echo two > /var/lib/db/two", "4242:4242"))).toBe("job_failed");
    await call(a, "volume.seal", { id: volume.id, operation: "move" });
    const last = await take(a, volume, "move");
    const source = { machine: a.id, id: volume.id };
    const told: number[] = [];
    const progress = ({ done }: { readonly done: number }) => void told.push(done);
    const pull = { ...volume, source, operation: "move", ...last };
    const { bytes } = await call(b, "volume.pull", pull, { progress });
    expect(told.at(-1)).toBe(bytes);
    expect(bytes).toBeGreaterThan(0);
    // Signs of life on the way to the first byte.
    expect(told.filter((done) => done === 0).length).toBeGreaterThan(4);
    await call(b, "volume.admit", { ...volume, spec: single, operation: "move", ...last });
    await call(a, "volume.retire", { id: volume.id, operation: "move" });
    await job(b, volume, "test -d /var/lib/db/sub && cat /var/lib/db/one > /var/lib/db/seen");
    expect(await readFile(join(folder(b, volume.id), "seen"), "utf8")).toBe("65534\n");
  });

  it("resumes after an interrupted transfer where ZFS keeps partial data; otherwise it starts again", async () => {
    const { a, b } = pair;
    const volume = await volumeOn(a);
    await writeFile(join(folder(a, volume.id), "big"), randomBytes(40 * MIB));
    const first = await take(a, volume, "first");
    await writeFile(join(folder(a, volume.id), "big"), randomBytes(40 * MIB));
    const second = await take(a, volume, "second");
    const source = { machine: a.id, id: volume.id };
    const pull = (what: typeof first, more = {}, limit = {}) =>
      call(b, "volume.pull", { ...volume, source, operation: "move", ...what, ...limit }, more);
    const resumes = zpool.zfs.capabilities.features.has("resume_tokens");
    /** Lets the half of it arrive, then hangs up. */
    const broken = async (what: typeof first) => {
      const gone = new AbortController();
      const progress = ({ done }: { readonly done: number }) => {
        if (done > 20 * MIB) gone.abort();
      };
      const slowly = { bytesPerSecond: 15 * MIB };
      expect(await code(pull(what, { signal: gone.signal, progress }, slowly))).toBeDefined();
    };
    for (const what of [first, second]) {
      await broken(what);
      const { bytes } = await pull(what);
      expect(bytes > 40 * MIB).toBe(!resumes);
    }
    await call(b, "volume.admit", { ...volume, spec: single, operation: "move", ...second });
    expect(
      (await readFile(join(folder(b, volume.id), "big"))).equals(
        await readFile(join(folder(a, volume.id), "big")),
      ),
    ).toBe(true);
  });

  it("leaves nothing of a transfer that broke off when that is undone, nor in the way of another one", async () => {
    const { a, b } = pair;
    const volume = await volumeOn(a);
    await writeFile(join(folder(a, volume.id), "big"), randomBytes(40 * MIB));
    const first = await take(a, volume, "first");
    const source = { machine: a.id, id: volume.id };
    const gone = new AbortController();
    const progress = whenBytesCome(() => gone.abort());
    const wanted = { ...volume, source, operation: "move" };
    const slowly = { bytesPerSecond: 15 * MIB };
    expect(
      await code(
        call(b, "volume.pull", { ...wanted, ...first, ...slowly }, { signal: gone.signal, progress }),
      ),
    ).toBeDefined();
    const second = await take(a, volume, "second");
    await call(b, "volume.pull", { ...wanted, ...second });
    await call(b, "volume.discard", { id: volume.id, operation: "move" });
    const again = new AbortController();
    const hangUp = { signal: again.signal, progress: whenBytesCome(() => again.abort()) };
    expect(await code(call(b, "volume.pull", { ...wanted, ...first, ...slowly }, hangUp))).toBeDefined();
    await call(b, "volume.discard", { id: volume.id, operation: "move" });
    expect(await statesOf(b, volume.namespace)).toEqual({});
    expect((await zpool.zfs.listDatasets(b.root)).filter(({ name }) => name.includes(volume.id))).toEqual([]);
  });

  it("has a user of its own where the service names one", async () => {
    const volume = await volumeOn(pair.a);
    await job(pair.a, volume, "echo mine > /var/lib/db/mine", "4242:4343");
    const { uid, gid } = await stat(folder(pair.a, volume.id));
    expect([uid, gid]).toEqual([4242, 4343]);
  });

  it("is bounded by the quota; snapshots do not use it up", async () => {
    const volume = await volumeOn(pair.a, { quotaBytes: 8 * MIB });
    const file = join(folder(pair.a, volume.id), "file");
    for (let round = 0; round < 3; round++) {
      await writeFile(file, randomBytes(5 * MIB));
      await take(pair.a, volume, `round-${round}`);
    }
    await expect(
      (async () => {
        await writeFile(`${file}.more`, randomBytes(12 * MIB));
        await run("sync", [`${file}.more`]);
      })(),
    ).rejects.toThrow();
    const { bsize, blocks } = await statfs(folder(pair.a, volume.id));
    expect(bsize * blocks).toBeLessThanOrEqual(9 * MIB);
  });

  it("nothing but active volumes is mounted by a reboot", async () => {
    const { a } = pair;
    const [active, sealed, retired] = [await volumeOn(a), await volumeOn(a), await volumeOn(a)];
    await call(a, "volume.seal", { id: sealed.id, operation: "op" });
    await call(a, "volume.retire", { id: retired.id, operation: "op" });
    const pool = await a.storage.ready();
    await pool.zfs.unmount(`${pool.layout.volumes}/${active.namespace}/${active.id}`);
    await run("zfs", ["mount", "-a"]);
    const mounts = await readFile("/proc/self/mounts", "utf8");
    expect([active, sealed, retired].map(({ id }) => mounts.includes(`/${id} `))).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("a volume that another program has unmounted is mounted again, a closed one is not, and an instance keeps its data", async () => {
    const { a } = pair;
    const [active, used, sealed] = [await volumeOn(a), await volumeOn(a), await volumeOn(a)];
    await call(a, "volume.seal", { id: sealed.id, operation: "op" });
    const instance = await startOn(a, used, ["sh", "-c", "sleep 1000"]);
    expect(await keepMounts(a.volumes)).toEqual({ repaired: [], remaining: [] });
    for (const { id } of [active, used]) await run("umount", ["--lazy", join(folder(a, id), "..")]);
    const { repaired, remaining } = await keepMounts(a.volumes);
    expect(repaired).toContain(`volume ${active.id}: mounted again`);
    // zfs-fuse mounts no dataset that an instance still has; ZFS in the kernel does.
    expect([...repaired, ...remaining].filter((what) => what.startsWith(`volume ${used.id}`))).toHaveLength(
      1,
    );
    expect(a.storage.problems()).toEqual(remaining);
    await call(a, "instance.stop", { id: instance, graceMs: 0 });
    await call(a, "instance.remove", { id: instance });
    await expect.poll(() => keepMounts(a.volumes), { timeout: 10_000 }).toMatchObject({ remaining: [] });
    expect(a.storage.problems()).toEqual([]);
    expect(await keepMounts(a.volumes)).toEqual({ repaired: [], remaining: [] });
    await expect(writeFile(join(folder(a, used.id), "file"), "there")).resolves.toBeUndefined();
  });

  it("an unmounted volume gives an instance no empty folder instead", async () => {
    const { a } = pair;
    const volume = await volumeOn(a);
    const instance = await startOn(a, volume, ["sleep", "1000"]);
    await call(a, "instance.stop", { id: instance, graceMs: 0 });
    const pool = await a.storage.ready();
    await pool.zfs.unmount(`${pool.layout.volumes}/${volume.namespace}/${volume.id}`);
    await a.runtime.start(instance).catch(() => {}); // as an engine does that knows nothing of volumes
    expect((await a.runtime.inspect(instance)).state).toBe("exited");
    expect(await readdir(join(folder(a, volume.id), ".."))).toEqual([]);
    await call(a, "instance.remove", { id: instance });
  });
});

describe("transfers", () => {
  it("that the caller gives up end on both sides, and the next one brings the rest", async () => {
    const { a, b } = pair;
    const volume = await volumeOn(a);
    await writeFile(join(folder(a, volume.id), "big"), randomBytes(24 * MIB));
    const last = await take(a, volume, "move");
    const pull = { ...volume, source: { machine: a.id, id: volume.id }, operation: "move", ...last };
    const gone = new AbortController();
    const seen: Json[] = [];
    let holding: Promise<boolean> | undefined;
    const progress = whenBytesCome((value) => {
      seen.push(value);
      holding ??= held(a, volume, "move").finally(() => gone.abort(new Error("the caller left")));
    });
    const slow = { ...pull, bytesPerSecond: 2 * MIB };
    await expect(call(b, "volume.pull", slow, { signal: gone.signal, progress })).rejects.toThrow();
    expect(seen[0]).toMatchObject({ done: expect.any(Number), total: expect.any(Number) });
    const resumes = zpool.zfs.capabilities.features.has("resume_tokens");
    const left = await findCopy(await b.storage.ready(), volume.id);
    expect(left?.dataset !== undefined).toBe(resumes);
    expect(await holding).toBe(true);
    // Held no longer: it can be destroyed. The sender notices by its closed connection.
    await expect.poll(() => held(a, volume, "move"), { timeout: 10_000 }).toBe(false);
    const whole = await call(b, "volume.pull", pull);
    expect(whole.bytes > 24 * MIB).toBe(!resumes);
  });

  it("hold what they send", async () => {
    const { a, b } = pair;
    const volume = await volumeOn(a);
    await writeFile(join(folder(a, volume.id), "big"), randomBytes(16 * MIB));
    const last = await take(a, volume, "move");
    let tried: Promise<unknown> | undefined;
    await call(
      b,
      "volume.pull",
      {
        ...volume,
        source: { machine: a.id, id: volume.id },
        operation: "move",
        bytesPerSecond: 4 * MIB,
        ...last,
      },
      {
        progress: whenBytesCome(() => {
          tried ??= call(a, "volume.unsnapshot", { ids: [volume.id], snapshots: ["move"] });
        }),
      },
    );
    await tried;
    expect((await call(a, "volume.snapshots", { id: volume.id }))?.snapshots.length).toBe(1);
  });

  it("without space say so, and leave nothing but what discard removes", async () => {
    const { a, b } = pair;
    const volume = await volumeOn(a);
    await writeFile(join(folder(a, volume.id), "big"), randomBytes(24 * MIB));
    const last = await take(a, volume, "move");
    const { usedBytes } = await zpool.zfs.getDataset(b.root);
    await zpool.zfs.setProperties(b.root, { quotaBytes: usedBytes + 8 * MIB });
    const pull = { ...volume, source: { machine: a.id, id: volume.id }, operation: "move", ...last };
    expect(await code(call(b, "volume.pull", pull))).toMatch(/^(quota_exceeded|no_space)$/);
    expect(await statesOf(b, volume.namespace)).toEqual({ [volume.id]: "incoming" });
    await call(b, "volume.discard", { id: volume.id, operation: "move" });
    expect(await statesOf(b, volume.namespace)).toEqual({});
    await zpool.zfs.setProperties(b.root, { quotaBytes: "none" });
    await call(b, "volume.pull", pull);
  });

  it("of a move that is undone leave a retired copy as it was: the next move sends only what changed", async () => {
    const { a, b } = pair;
    const volume = await volumeOn(a);
    const source = { machine: a.id, id: volume.id };
    const pull = async (operation: string, snapshot: string) =>
      call(b, "volume.pull", { ...volume, source, operation, ...(await take(a, volume, snapshot)) });
    await pull("first", "first");
    await call(b, "volume.retire", { id: volume.id, operation: "first" });
    await writeFile(join(folder(a, volume.id), "file"), randomBytes(MIB));
    await pull("second", "second-r1");
    await call(b, "volume.discard", { id: volume.id, operation: "second" });
    await call(a, "volume.unsnapshot", { ids: [volume.id], snapshots: ["second-r1"] });
    expect(await pull("third", "third")).toMatchObject({ base: "first" });
    await call(b, "volume.discard", { id: volume.id, operation: "third" });
  });

  it("never overwrite data written to a retired copy since its newest snapshot", async () => {
    const { a, b } = pair;
    const volume = await volumeOn(a);
    const first = await take(a, volume, "first");
    const pull = { ...volume, source: { machine: a.id, id: volume.id } };
    await call(b, "volume.pull", { ...pull, operation: "there", ...first });
    await call(b, "volume.admit", { ...volume, spec: single, operation: "there", ...first });
    await writeFile(join(folder(b, volume.id), "precious"), "only here");
    await call(b, "volume.retire", { id: volume.id, operation: "there" });
    await writeFile(join(folder(a, volume.id), "other"), "there");
    const second = await take(a, volume, "second");
    expect(await call(b, "volume.pull", { ...pull, operation: "again", ...second })).toMatchObject({
      base: null,
    });
    const states = await statesOf(b, volume.namespace);
    expect(Object.values(states).sort()).toEqual(["incoming", "retired"]);
    const aside = Object.keys(states).find((id) => id !== volume.id) ?? "";
    const pool = await b.storage.ready();
    const name = `${pool.layout.retired}/${aside}`;
    await pool.zfs.setProperties(name, { mountpoint: "/mnt/aside" });
    await pool.zfs.mount(name);
    expect(await readFile("/mnt/aside/data/precious", "utf8")).toBe("only here");
    await pool.zfs.setProperties(name, { mountpoint: "none" });
  });
});

async function held(machine: VolumeMachine, { id }: { id: string }, snapshot: string): Promise<boolean> {
  const pool = await machine.storage.ready();
  const name = (await findCopy(pool, id))?.dataset?.name;
  const found = await pool.zfs.getDataset(`${name}@${snapshot}`);
  return Number(found.properties.get("userrefs")?.value) > 0;
}

/** As operations name them. */
const S = [1, 2, 3, 4].map((n) => `01j000000000000000000000s${n}`);

describe("the retention", () => {
  it("deletes expired copies and snapshots, and none with dependents", async () => {
    const { a } = pair;
    const volume = await volumeOn(a);
    const taken = [];
    await take(a, volume, "by-hand");
    for (const name of S) taken.push(await take(a, volume, name));
    const clone = { id: `${volume.id}c`, namespace: `${volume.namespace}c`, name: "data" };
    const from = { id: volume.id, ...(taken[1] ?? { snapshot: "", guid: "" }) };
    await call(a, "volume.clone", { ...clone, spec: single, operation: "op", from });
    for (const n of [1, 2, 3]) {
      const old = { ...volume, id: `${volume.namespace}.data.old${n}` };
      await call(a, "volume.ensure", { ...old, spec: single, operation: "op", create: true });
      await take(a, old, "last");
      await call(a, "volume.retire", { id: old.id, operation: "op" });
    }
    const later = (days: number) =>
      volumeHandlers({ ...a.volumes, now: () => Date.now() + days * DAY_MS } as never);
    const asked = { namespace: volume.namespace };
    const prune = (days: number) => later(days)["volume.prune"](asked, context);
    expect(await prune(6)).toMatchObject({ destroyed: [], blocked: [] });
    const planned = await later(8)["volume.expired"](asked, context);
    expect(planned.names.toSorted()).toEqual(
      [`${volume.namespace}.data.old1`, `${volume.id}@${S[0]}`].sort(),
    );
    expect(planned.blocked).toEqual([
      { name: `${volume.id}@${S[1]}`, dependents: [expect.stringContaining(clone.id)] },
    ]);
    const { names, ...rest } = planned;
    expect(await prune(8)).toEqual({ destroyed: names, ...rest });
    expect(await prune(8)).toMatchObject({ destroyed: [], blocked: planned.blocked });
    expect((await call(a, "volume.snapshots", { id: volume.id }))?.snapshots.map(({ name }) => name)).toEqual(
      ["by-hand", ...S.slice(1)],
    );
  });
});

describe("a daemon that starts", () => {
  it("settles what ended operations left, and destroys nothing that was ever committed", async () => {
    const { a, b } = pair;
    const store = createMemoryStore({ clock: createVirtualClock() });
    const namespace = `ns${++count}`;
    const make = async (suffix: string, operation: string) => {
      const volume = { id: `${namespace}.data.${suffix}`, namespace, name: "data" };
      await call(a, "volume.ensure", { ...volume, spec: single, operation, create: true });
      return volume;
    };
    const head = await make("head", "done");
    await make("failed", "failed");
    await make("replaced", "done");
    await make("running", "running");
    const moved = await make("moved", "done");
    await call(a, "volume.seal", { id: head.id, operation: "failed" });
    for (const [operation, state, more] of [
      ["done", "done", { revision: 1 }],
      ["failed", "failed", {}],
      ["running", "running", {}],
    ] as const)
      await store.journals.putSummary(operation, {
        ...{ operation, state, primitive: "deploy", scope: [], coordinator: a.id, by: "", startedAt: "" },
        ...{ title: "", ...more },
      });
    const of = { name: "data", guid: "1", spec: single };
    const volumes = [
      { ...of, id: head.id, machine: a.id },
      { ...of, id: moved.id, machine: b.id },
    ];
    const commit = emptyCommit({ namespace, operation: "done", primitive: "deploy", at: "", by: "" });
    await store.commits.append({ ...commit, volumes }, 0);
    const removed = await settleStrays(a.volumes, await a.storage.ready(), store);
    expect(removed.filter(({ what }) => what.includes(namespace)).length).toBe(4);
    expect(await statesOf(a, namespace)).toEqual({
      [head.id]: "active",
      [`${namespace}.data.replaced`]: "retired",
      [moved.id]: "retired",
      [`${namespace}.data.running`]: "active",
    });
  });

  it("mounts again what a killed zfs-fuse has left dead, and knows who has the dead mount", async ({
    skip,
  }) => {
    const { pid } = await zpool.services.status("ployz-zfs-fuse");
    if (pid === undefined) return skip("ZFS in the kernel has no process that could be killed");
    const { a } = pair;
    const volume = await volumeOn(a);
    await writeFile(join(folder(a, volume.id), "file"), "kept", { flush: true });
    process.kill(pid, "SIGKILL");
    await expect
      .poll(() => stat(join(folder(a, volume.id), "file")).catch(({ code }) => code))
      .toBe("ENOTCONN");
    const again = openStorage({
      ...{ root: a.root, services: zpool.services, mounts: join(a.dir, "volumes"), pools: "/mnt" },
      log: () => {},
    });
    await expect.poll(() => code(again.ready()), { timeout: 30_000 }).toBeUndefined();
    expect(again.problems()).toEqual([]);
    expect(await readFile(join(folder(a, volume.id), "file"), "utf8")).toBe("kept");
    expect(again.remountedAt(volume.id)).toBeGreaterThan(0);
  });

  it("that has no pool says why, and works", async () => {
    const none = openStorage({
      ...{
        root: "nosuchpool/ployz",
        services: zpool.services,
        mounts: "/mnt/none",
        pools: "/mnt/none-pools",
      },
      log: () => {},
    });
    expect(await code(none.ready())).toBeDefined();
    expect(none.problems()[0]).toMatch(/^no volumes: .*nosuchpool/);
    expect(none.present()).toBeUndefined();
  });

  it("and leaves its cluster keeps every dataset, with nothing mounted", async () => {
    const kept = await leaveVolumes(pair.a.storage);
    expect(kept.length).toBeGreaterThan(5);
    expect(await readFile("/proc/self/mounts", "utf8")).not.toContain(` ${pair.a.dir}/volumes/`);
  });
});
