import { lstat, mkdir, mkdtemp, readdir, readlink, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFileOnce, readFileIfThere, replaceLink, writeFileAtomic } from "./files.ts";
import { keepReserve } from "./reserve.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "files-"));
});
afterAll(() => rm(dir, { recursive: true }));

test("a file is made with its folder, private, and replaced whole, with no draft left", async () => {
  const path = join(dir, "state", "record.json");
  expect(await readFileIfThere(path)).toBeUndefined();
  await writeFileAtomic(path, "one, and longer than the next\n");
  await writeFileAtomic(path, "two\n");
  expect(await readFileIfThere(path)).toBe("two\n");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(dir, "state"))).mode & 0o777).toBe(0o700);
  expect(await readdir(join(dir, "state"))).toEqual(["record.json"]);
});

test("of many that make a file at once one wins, and all read its whole content", async () => {
  const path = join(dir, "once", "key");
  const contents = Array.from({ length: 50 }, (_, n) => `${String(n).repeat(100_000)}\n`);
  const seen = await Promise.all(contents.map((content) => createFileOnce(path, content)));
  expect(new Set(seen).size).toBe(1);
  expect(contents).toContain(seen[0]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await createFileOnce(path, "another")).toBe(seen[0]);
  expect(await readdir(join(dir, "once"))).toEqual(["key"]);
});

test("a link is replaced, also over a draft that a crash left", async () => {
  const path = join(dir, "current");
  await replaceLink(path, "gen-1");
  await replaceLink(`${path}.new`, "left");
  await replaceLink(path, "gen-2");
  expect(await readlink(path)).toBe("gen-2");
  await expect(lstat(`${path}.new`)).rejects.toThrow("ENOENT");
});

test("on a full disk a file is written with space from the reserve; without one the error names path and need", async () => {
  const machine = join(dir, "machine");
  const path = join(machine, "state", "wanted");
  await mkdir(machine);
  await writeFileAtomic(path, "up\n");
  const full = () => symlink("/dev/full", `${path}.new`); // every write to it fails for want of space

  await full();
  await expect(writeFileAtomic(path, "down\n")).rejects.toMatchObject({
    code: "disk_full",
    message: expect.stringMatching(/wanted, which needs 5 bytes$/),
    hint: expect.stringContaining("df -h"),
  });
  expect(await readFileIfThere(path)).toBe("up\n");

  await keepReserve(machine);
  const { size } = await stat(join(machine, ".reserve"));
  await full();
  await writeFileAtomic(path, "down\n");
  expect(await readFileIfThere(path)).toBe("down\n");
  expect((await stat(join(machine, ".reserve"))).size).toBeLessThan(size - 100_000);
  await keepReserve(machine);
  expect((await stat(join(machine, ".reserve"))).size).toBe(size);
});
