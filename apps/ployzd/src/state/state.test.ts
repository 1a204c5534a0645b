import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorBody } from "@ployz/errors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openFences } from "./fences.ts";
import { readJson, serialise, writeJson } from "./files.ts";
import { openInstanceFiles } from "./instance-files.ts";
import { openReservations } from "./reservations.ts";
import { openInstanceSecrets } from "./secrets.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployzd-state-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const anything = async () => ({ generation: 99, revision: 99 });
const code = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => errorBody(error).code,
  );

describe("fences", () => {
  const at = (revision: number, generation = 1, scope = "deploy.prod") => ({ scope, generation, revision });

  it("refuse an older holder, also after the daemon was started again", async () => {
    const path = join(dir, "fences.json");
    const first = await openFences(path, anything);
    await first.check(at(5));
    await first.check(at(5));
    const again = await openFences(path, anything);
    expect(await code(again.check(at(4)))).toBe("fenced");
    expect(await code(again.check(at(3, 1, "deploy.other")))).toBeUndefined();
    expect(await code(again.check(at(1, 2)))).toBeUndefined();
    expect(await code(again.check(at(99, 1)))).toBe("fenced");
  });

  it("above the last lease of the store is refused, and does not block its scope", async () => {
    let last = 40;
    const fences = await openFences(join(dir, "fences.json"), async () => ({
      generation: 2,
      revision: last,
    }));
    expect(await code(fences.check(at(Number.MAX_SAFE_INTEGER, 2)))).toBe("fence_ahead");
    expect(await code(fences.check(at(1, 3)))).toBe("store_unavailable");
    expect(await code(fences.check(at(41, 2)))).toBe("fence_ahead");
    last = 41;
    expect(await code(fences.check(at(41, 2)))).toBeUndefined();
    expect(await code(fences.check(at(39, 2)))).toBe("fenced");
  });

  it("of two at once the newer one stands, whatever the order", async () => {
    const fences = await openFences(join(dir, "fences.json"), anything);
    await Promise.all([fences.check(at(9)), code(fences.check(at(8)))]);
    expect(await code(fences.check(at(8)))).toBe("fenced");
  });

  it.each([
    { scope: "s", generation: Number.NaN, revision: 1 },
    { scope: "s", generation: 1 },
    { scope: "s", generation: "1", revision: "9" },
    { generation: 1, revision: 1 },
  ])("an invalid fence changes nothing: %j", async (fence) => {
    const fences = await openFences(join(dir, "fences.json"), anything);
    await fences.check({ scope: "s", generation: 1, revision: 7 });
    expect(await code(fences.check(fence as never))).toBe("fence_missing");
    expect(await code(fences.check({ scope: "s", generation: 1, revision: 6 }))).toBe("fenced");
  });

  it("a scope that is named like a part of every object is one like others", async () => {
    const fences = await openFences(join(dir, "fences.json"), anything);
    await fences.check({ scope: "constructor", generation: 1, revision: 2 });
    expect(await code(fences.check({ scope: "constructor", generation: 1, revision: 1 }))).toBe("fenced");
  });
});

describe("reservations", () => {
  const range = { first: "10.101.1.2", last: "10.101.1.4" };

  it("survive the daemon, and go back when released", async () => {
    const path = join(dir, "reservations.json");
    const first = await openReservations(path, range);
    const a = await first.reserve("a");
    expect(await first.reserve("a")).toBe(a);
    const again = await openReservations(path, range);
    expect(await again.reserve("a")).toBe(a);
    expect(await again.reserve("b")).not.toBe(a);
    await again.release("a");
    await again.release("never");
    expect((await openReservations(path, range)).all()).toEqual({ b: expect.any(String) });
  });

  it("many at once get an address each, until there are none", async () => {
    const path = join(dir, "reservations.json");
    const open = await openReservations(path, range);
    const got = await Promise.all(["a", "b", "c"].map((id) => open.reserve(id)));
    expect([...got].sort()).toEqual(["10.101.1.2", "10.101.1.3", "10.101.1.4"]);
    expect(await code(open.reserve("d"))).toBe("addresses_exhausted");
    await open.release("b");
    expect(await open.reserve("d")).toBe(got[1]);
  });

  it("a released address is not the next one given out", async () => {
    const open = await openReservations(join(dir, "r.json"), range);
    const a = await open.reserve("a");
    await open.release("a");
    expect(await open.reserve("b")).not.toBe(a);
  });

  it("a committed instance gets its own back", async () => {
    const path = join(dir, "r.json");
    const open = await openReservations(path, range);
    await open.restore("old", "10.101.1.3");
    expect((await openReservations(path, range)).all()).toEqual({ old: "10.101.1.3" });
    expect(await open.reserve("new")).not.toBe("10.101.1.3");
  });
});

describe("documents on disk", () => {
  it("an interrupted write leaves the old document", async () => {
    const path = join(dir, "deep", "a.json");
    await writeJson(path, { n: 1 });
    await writeFile(`${path}.new`, '{"n": 2', { mode: 0o600 }); // a power cut before the rename
    expect(await readJson(path)).toEqual({ n: 1 });
    await writeJson(path, { n: 3 });
    expect(await readJson(path)).toEqual({ n: 3 });
    expect(await readdir(join(dir, "deep"))).toEqual(["a.json"]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("one that is not there is not there; one that cannot be read is an error", async () => {
    expect(await readJson(join(dir, "none.json"))).toBeUndefined();
    await mkdir(join(dir, "folder.json"));
    await expect(readJson(join(dir, "folder.json"))).rejects.toThrow();
    expect(await readFile(join(dir, "none.json")).catch(() => "absent")).toBe("absent");
  });

  it("tasks in turn do not overlap, and continue after one failed", async () => {
    const inTurn = serialise();
    const seen: string[] = [];
    const task = (name: string, fails = false) =>
      inTurn(async () => {
        seen.push(`${name} begins`);
        await Promise.resolve();
        seen.push(`${name} ends`);
        if (fails) throw new Error(name);
      });
    const results = await Promise.allSettled([task("a", true), task("b")]);
    expect(seen).toEqual(["a begins", "a ends", "b begins", "b ends"]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  });
});

describe("files of instances", () => {
  const id = "prod.web.1.aaaaaaaa";
  const secrets = { "/s": { namespace: "prod", name: "db", version: "v1" } };
  const files = {
    "/a": { text: "hello", mode: 0o640, owner: { uid: 1000, gid: 50 } },
    "/b": { base64: "AAE=", mode: 0o444 },
    "/s": { secret: "db", mode: 0o400 },
  };

  it("have content, mode and owner, are written once, and go with the instance", async () => {
    const kept = openInstanceFiles(join(dir, "files"));
    const mounts = await kept.write({ id, files, secrets }, { "/s": "hunter2" });
    expect(mounts.map(({ target, readOnly }) => [target, readOnly])).toEqual([
      ["/a", true],
      ["/b", true],
      ["/s", true],
    ]);
    const [a, b, s] = mounts.map(({ source }) => source) as [string, string, string];
    expect(await readFile(a, "utf8")).toBe("hello");
    expect(await readFile(b)).toEqual(Buffer.from([0, 1]));
    expect(await readFile(s, "utf8")).toBe("hunter2");
    expect((await stat(a)).mode & 0o777).toBe(0o640);
    expect((await stat(join(dir, "files", id))).mode & 0o777).toBe(0o700);
    const before = await stat(s);
    expect(await kept.write({ id, files, secrets }, { "/s": "hunter2" })).toEqual(mounts);
    expect((await stat(s)).mtimeMs).toBe(before.mtimeMs);
    await kept.remove(id);
    expect(existsSync(join(dir, "files", id))).toBe(false);
  });

  it("have another path with another content or version", async () => {
    const kept = openInstanceFiles(join(dir, "files"));
    const source = async (file: (typeof files)["/a"] | (typeof files)["/s"], version = "v1") => {
      const refs = { "/s": { ...secrets["/s"], version } };
      return (await kept.write({ id, files: { "/s": file }, secrets: refs }, { "/s": "x" }))[0]?.source;
    };
    expect(await source(files["/a"])).not.toBe(await source({ ...files["/a"], text: "hallo" }));
    expect(await source(files["/a"])).not.toBe(await source({ ...files["/a"], mode: 0o600 }));
    expect(await source(files["/s"])).not.toBe(await source(files["/s"], "v2"));
  });
});

describe("secrets of instances", () => {
  const secrets = { DATABASE_URL: { namespace: "prod", name: "db-url", version: "v1" } };
  const id = "prod.web.1.aaaaaaaa";

  it("exist in the stored version, for root only, until they are released", async () => {
    const kept = openInstanceSecrets(join(dir, "secrets"));
    await kept.keep(id, secrets, { DATABASE_URL: "hunter2" });
    expect(await kept.values(id, secrets)).toEqual({ DATABASE_URL: "hunter2" });
    expect((await stat(join(dir, "secrets", `${id}.json`))).mode & 0o777).toBe(0o600);
    const newer = { DATABASE_URL: { ...secrets.DATABASE_URL, version: "v2" } };
    expect(await code(kept.values(id, newer))).toBe("secrets_missing");
    await kept.forget(id);
    expect(await code(kept.values(id, secrets))).toBe("secrets_missing");
    expect(await kept.values(id, undefined)).toEqual({});
  });

  it("stay in their folder, whatever an instance is called", async () => {
    const kept = openInstanceSecrets(join(dir, "secrets"));
    await writeFile(join(dir, "other.json"), "{}");
    for (const bad of ["../other", "a/../../other", "", "A"]) {
      expect(await code(kept.keep(bad, secrets, {}))).toBe("instance_invalid");
      expect(await code(kept.forget(bad))).toBe("instance_invalid");
    }
    expect(await readFile(join(dir, "other.json"), "utf8")).toBe("{}");
  });
});
