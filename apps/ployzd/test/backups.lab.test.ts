import { randomBytes } from "node:crypto";
import {
  access,
  chmod,
  chown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  watch,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { run, spawnStream } from "@ployz/exec";
import { type Commands, emptyCommit, type RepositoryAt } from "@ployz/primitives/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import { tidyClones } from "../src/backups/clone.ts";
import { type BackupHandlers, backupHandlers } from "../src/backups/handlers.ts";
import { contentOf } from "../src/participant/volumes/layout.ts";
import { openLeftovers } from "../src/streams/leftovers.ts";
import { openPair, openPool, type Pair, type Zpool } from "./volume-machine.ts";

if (process.env.PLOYZ_PLOYZD_LAB !== "1") throw new Error("run through test/lab.sh: pnpm test:lab");

type Name = Extract<keyof Commands, `backup.${string}` | `volume.${string}`>;
const single = { scope: "single" } as const;

let zpool: Zpool;
let pair: Pair;
let dir: string;
let handlers: BackupHandlers;
let mounts: string;
/** Called when restic has started. */
let started = () => {};
/** Called with each progress. */
let told: (value: unknown) => void = () => {};
/** The value of the secret `ops/keys`. */
let secret = "password=correct horse";
const here = { namespace: "ops", name: "keys" };
const repository = (): RepositoryAt => ({ name: "offsite", url: `file:${dir}/repository`, secret: here });

beforeAll(async () => {
  zpool = await openPool("backups");
  pair = await openPair(zpool, "backups");
  dir = await mkdtemp("/mnt/backups-");
  mounts = join(dir, "mounts");
  const commit = {
    ...emptyCommit({ namespace: "ns", operation: "01", primitive: "deploy", at: "", by: "" }),
    volumes: [{ name: "data", id: "", machine: "m1", guid: "", spec: single }],
  };
  const fact = { key: "secret.ops.keys", value: { ...here, version: "1", at: "", by: "" }, revision: 1 };
  const programs = openLeftovers(join(dir, "programs"));
  const leftovers = {
    note: (pid: number | undefined) => {
      started();
      return programs.note(pid);
    },
  };
  handlers = backupHandlers({
    ...{
      self: "m1",
      cluster: { name: "acme", id: "acme-1" },
      version: "0.0.0",
      storage: pair.a.storage,
      mounts,
      make: () => expect.fail("the store is not backed up here"),
    },
    ...{
      keys: join(dir, "keys"),
      cache: join(dir, "cache"),
      leftovers,
    },
    store: {
      facts: { get: async () => fact },
      commits: { at: async () => ({ key: "commit.ns", value: commit, revision: 1 }) },
    } as never,
    secrets: { read: async () => [secret] },
    runtime: { exec: async () => Promise.reject(new Error("no instance")) },
  });
}, 240_000);
afterAll(async () => {
  await pair?.close();
  await zpool?.close();
  await rm(dir, { recursive: true, force: true });
});

const call = <N extends Name>(name: N, args: Commands[N]["args"], signal = new AbortController().signal) =>
  (
    ({ ...pair.a.handlers, ...handlers })[name] as (
      args: unknown,
      context: unknown,
    ) => Promise<Commands[N]["out"]>
  )(args, { signal, progress: (value: unknown) => told(value) });
const folder = async (id: string) => contentOf((await pair.a.storage.ready()).layout, id);

let volumes = 0;
async function volumeOn(operation: string) {
  const volume = { id: `ns.data.v${++volumes}`, namespace: "ns", name: "data" };
  await call("volume.ensure", { ...volume, spec: single, operation, create: true });
  return volume.id;
}
async function snapshotOf(id: string, snapshot: string) {
  const { guids } = await call("volume.snapshot", { namespace: "ns", ids: [id], snapshot });
  return { id, snapshot, guid: guids[id] ?? "" };
}
const take = async (id: string, operation: string, signal?: AbortSignal) =>
  call(
    "backup.take",
    {
      ...{ repository: repository(), namespace: "ns", volume: "data", commit: 1, operation },
      ...(await snapshotOf(id, operation.toLowerCase())),
    },
    signal,
  );
const clones = async () =>
  (await zpool.zfs.listDatasets(`${pair.a.root}/backup`)).filter(({ name }) => !name.endsWith("/backup"));
const mounted = async () => (await readFile("/proc/mounts", "utf8")).includes(mounts);
const locks = async () => (await readdir(join(dir, "repository", "locks"))).length;

it("a repository is created once, and its password decides", async () => {
  expect(await call("backup.look", { repository: repository() })).toMatchObject({ state: "absent" });
  expect(await call("backup.open", { repository: repository() })).toEqual({ created: true });
  expect(await call("backup.open", { repository: repository() })).toEqual({ created: false });
  expect(await call("backup.look", { repository: repository() })).toMatchObject({ state: "ready" });
  secret = "password=wrong";
  const { problem } = await call("backup.look", { repository: repository() });
  expect(problem).toMatchObject({ code: "repository_password_wrong" });
  expect(JSON.stringify(problem)).not.toContain("horse");
  await expect(call("backup.open", { repository: repository() })).rejects.toMatchObject({
    code: expect.any(String),
  });
  secret = "password=correct horse";
}, 120_000);

it("a volume in use is copied as it was at the snapshot, and comes back with owners, modes and names", async () => {
  const id = await volumeOn("made");
  const data = await folder(id);
  await writeFile(join(data, "rows ü"), "before");
  await chmod(join(data, "rows ü"), 0o640);
  await chown(join(data, "rows ü"), 999, 998);
  await mkdir(join(data, "empty"), { mode: 0o700 });
  await chmod(data, 0o750);
  await writeFile(join(data, "large"), randomBytes(2 ** 20));
  const snapshot = await snapshotOf(id, "01a");
  await writeFile(join(data, "rows ü"), "after");
  const first = await take(id, "01A");
  expect(await take(id, "01A")).toMatchObject({ backup: first.backup });
  expect(first.backup).toMatch(/^[0-9a-f]{64}$/);
  expect(first.addedBytes).toBeGreaterThan(2 ** 20);
  expect([await clones(), await mounted(), await locks()]).toEqual([[], false, 0]);
  // Again, with one more file: known blocks are not stored again.
  await writeFile(join(data, "more"), "more");
  const second = await take(id, "01B");
  expect(second.addedBytes).toBeLessThan(2 ** 17);

  const { backups } = await call("backup.list", { repository: repository(), namespace: "ns" });
  expect(backups.map(({ operation, volume, cluster }) => [operation, volume, cluster])).toEqual([
    ["01A", "data", "acme"],
    ["01B", "data", "acme"],
  ]);
  expect((await call("backup.list", { repository: repository(), namespace: "other" })).backups).toEqual([]);
  const read = await call("backup.read", { repository: repository(), id: first.backup.slice(0, 8) });
  expect(read?.content).toMatchObject({
    spec: single,
    guid: snapshot.guid,
    manifest: expect.stringContaining("ns"),
  });
  expect(await call("backup.read", { repository: repository(), id: "00000000" })).toBeNull();

  const copy = await volumeOn("restore");
  await expect(
    call("backup.restore", { repository: repository(), backup: first.backup, id: copy, operation: "other" }),
  ).rejects.toMatchObject({ code: "dataset_foreign" });
  for (let time = 0; time < 2; time++)
    await call("backup.restore", {
      repository: repository(),
      backup: first.backup,
      id: copy,
      operation: "restore",
    });
  const back = await folder(copy);
  expect((await readdir(back)).sort()).toEqual(["empty", "large", "rows ü"]);
  expect(await readFile(join(back, "rows ü"), "utf8")).toBe("before");
  expect(await stat(join(back, "rows ü"))).toMatchObject({ mode: 0o100640, uid: 999, gid: 998 });
  expect([(await stat(back)).mode & 0o777, (await stat(join(back, "empty"))).mode & 0o777]).toEqual([
    0o750, 0o700,
  ]);
  expect(await readFile(join(back, "large"))).toEqual(await readFile(join(data, "large")));
}, 240_000);

it("backups are deleted with their data, once no other program has locked the repository", async () => {
  const id = await volumeOn("made");
  await writeFile(join(await folder(id), "large"), randomBytes(3 * 2 ** 20));
  const { backup } = await take(id, "01G");
  await rm(join(await folder(id), "large"));
  const { backup: newer } = await take(id, "01H");
  const size = async () => (await packs()).reduce((sum, [, bytes]) => sum + bytes, 0);
  const before = await size();
  const env = { RESTIC_REPOSITORY: `${dir}/repository`, RESTIC_PASSWORD: "correct horse" };
  const other = spawnStream("restic", ["backup", "--stdin", "--tag", "other"], { env });
  const locked = async () => {
    for await (const { filename } of watch(join(dir, "repository", "locks"))) if (filename !== null) return;
  };
  await locked();
  const waiting = new Promise<void>((resolve) => {
    told = (value) => {
      if (JSON.stringify(value) === '{"waiting":true}') resolve();
    };
  });
  const done = call("backup.forget", { repository: repository(), backups: [backup] });
  await waiting;
  expect(
    (await call("backup.list", { repository: repository() })).backups.some((one) => one.id === backup),
  ).toBe(true);
  other.stdin.end("end");
  await other.done;
  await done;
  told = () => {};
  const left = (await call("backup.list", { repository: repository() })).backups.map((one) => one.id);
  expect([left.includes(backup), left.includes(newer)]).toEqual([false, true]);
  expect(before - (await size())).toBeGreaterThan(2 ** 20);
  // As an answer that was lost: again.
  expect(await call("backup.forget", { repository: repository(), backups: [backup] })).toBeNull();
  expect(await locks()).toBe(0);
}, 240_000);

it("a backup that is aborted, or whose daemon dies, leaves no clone, no mount and no lock", async () => {
  const id = await volumeOn("made");
  await writeFile(join(await folder(id), "large"), randomBytes(40 * 2 ** 20));
  const stop = new AbortController();
  started = () => stop.abort(new Error("enough"));
  await expect(take(id, "01C", stop.signal)).rejects.toThrow("enough");
  started = () => {};
  expect([await clones(), await mounted(), await locks()]).toEqual([[], false, 0]);
  // As a killed daemon leaves it.
  const pool = await pair.a.storage.ready();
  const { openClone } = await import("../src/backups/clone.ts");
  await openClone(pool, { ...(await snapshotOf(id, "01d")), self: "m1" }, mounts);
  expect(await mounted()).toBe(true);
  await tidyClones(pool, mounts);
  expect([await clones(), await mounted()]).toEqual([[], false]);
}, 240_000);

it("a full repository and a damaged one say so", async () => {
  const id = await volumeOn("made");
  await writeFile(join(await folder(id), "large"), randomBytes(8 * 2 ** 20));
  const small = join(dir, "small");
  await mkdir(small);
  await run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", small]);
  try {
    const full: RepositoryAt = { name: "small", url: `file:${small}/repository`, secret: here };
    await call("backup.open", { repository: full });
    const args = { repository: full, namespace: "ns", volume: "data", commit: 1, operation: "01E" };
    await expect(call("backup.take", { ...args, ...(await snapshotOf(id, "01e")) })).rejects.toMatchObject({
      code: "repository_full",
    });
    expect(await clones()).toEqual([]);
  } finally {
    await run("umount", ["-l", small]);
  }
  const { backup } = await take(id, "01F");
  const verify = async (name: string) => {
    const copy = await volumeOn(name);
    const args = { repository: repository(), backup, id: copy, operation: name };
    await call("backup.restore", { ...args, fresh: true });
    return { args, copy };
  };
  const { args: good, copy: same } = await verify("verified");
  expect(await call("backup.compare", good)).toEqual({ files: 1, bytes: 8 * 2 ** 20 });
  expect(await call("backup.check", { repository: repository() })).toBeNull();
  const restored = await folder(same);
  for (const change of [
    () => chmod(join(restored, "large"), 0o600),
    () => writeFile(join(restored, "more"), ""),
  ]) {
    await change();
    await expect(call("backup.compare", good)).rejects.toMatchObject({ code: "backup_differs" });
  }
  for (const [pack, size] of await packs())
    if (size > 2 ** 20) {
      await chmod(pack, 0o600);
      const file = await open(pack, "r+");
      await file.write(Buffer.alloc(4096), 0, 4096, Math.floor(size / 2));
      await file.close();
    }
  // The machine's cache has not noticed.
  const error = await verify("damaged").catch((caught: unknown) => caught);
  expect(error, String((error as { cause?: { stderr?: string } }).cause?.stderr)).toMatchObject({
    code: "backup_damaged",
  });
  await expect(call("backup.check", { repository: repository() })).rejects.toMatchObject({
    code: "backup_damaged",
  });
  await access(join(dir, "repository", "config"));
}, 240_000);

async function packs(): Promise<readonly (readonly [path: string, size: number])[]> {
  const root = join(dir, "repository", "data");
  const found = (await readdir(root, { recursive: true })).map((name) => join(root, name));
  const sized = await Promise.all(found.map(async (path) => [path, await stat(path)] as const));
  return sized.flatMap(([path, one]) => (one.isFile() ? [[path, one.size] as const] : []));
}
