import { lstat, mkdtemp, readdir, readlink, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readFileIfThere, replaceLink, writeFileAtomic } from "./files.ts";

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

test("a link is replaced, also over a draft that a crash left", async () => {
  const path = join(dir, "current");
  await replaceLink(path, "gen-1");
  await replaceLink(`${path}.new`, "left");
  await replaceLink(path, "gen-2");
  expect(await readlink(path)).toBe("gen-2");
  await expect(lstat(`${path}.new`)).rejects.toThrow("ENOENT");
});
