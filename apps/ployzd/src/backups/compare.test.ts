import { lstatSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { add, compareBackup, emptyTally, entryOf } from "./compare.ts";
import type { Restic } from "./restic.ts";

const node = {
  struct_type: "node",
  ...{ name: "a", type: "file", path: "/data/a", uid: 999, gid: 998, size: 300, mode: 0o640 },
  mtime: "2026-11-30T00:03:18.05Z",
};

test("a node becomes an entry with the mode and the time of a file system", () => {
  expect(entryOf(JSON.stringify(node))).toEqual({
    ...{ path: "/data/a", type: "file", uid: 999, gid: 998, size: 300, mode: 0o640 },
    mtime: `${Date.parse("2026-11-30T00:03:18Z")}050000`.replace(/000050000$/, "050000000"),
  });
  // Go's bits of a folder with setgid and the sticky bit.
  const mode = 2 ** 31 + 2 ** 22 + 2 ** 20 + 0o775;
  expect(entryOf(JSON.stringify({ ...node, type: "dir", mode }))).toMatchObject({
    ...{ type: "dir", size: 0, mode: 0o3775, mtime: "" },
  });
});

test("the snapshot itself, what lies beside the data, and sockets are passed over", () => {
  for (const other of [
    { struct_type: "snapshot", id: "a" },
    { ...node, path: "/ployz.json" },
    { ...node, path: "/database" },
    { ...node, type: "socket" },
  ])
    expect(entryOf(JSON.stringify(other))).toBeUndefined();
});

test("a sum does not depend on the order, and shows a single difference", () => {
  const entries = ["/data/a", "/data/b"].map((path) => entryOf(JSON.stringify({ ...node, path })));
  const sumOf = (list: typeof entries) => {
    const tally = emptyTally();
    for (const entry of list) if (entry !== undefined) add(tally, entry);
    return tally;
  };
  const base = sumOf(entries);
  expect(base).toMatchObject({ files: 2, bytes: 600, entries: 2 });
  expect(sumOf([...entries].reverse())).toEqual(base);
  for (const change of [
    { uid: 1 },
    { mode: 0o600 },
    { mtime: "2026-11-30T00:03:18.050000001Z" },
    { size: 301 },
  ])
    expect(
      sumOf([entries[0], entryOf(JSON.stringify({ ...node, path: "/data/b", ...change }))]).sum,
    ).not.toBe(base.sum);
});

test("names that are no UTF-8 are walked, and compared as restic lists them", async () => {
  const path = await mkdtemp(join(tmpdir(), "ployz-compare-"));
  onTestFinished(() => rm(path, { recursive: true }));
  const file = Buffer.concat([Buffer.from(join(path, "data", "caf")), Buffer.from([0xe9, 0xe8])]);
  await mkdir(join(path, "data"), { mode: 0o755 });
  await writeFile(file, "x", { mode: 0o644 });
  const { uid, gid, mtimeMs } = lstatSync(file);
  const { mtimeNs } = lstatSync(file, { bigint: true });
  const seconds = new Date(Math.floor(mtimeMs / 1000) * 1000).toISOString().slice(0, 19);
  const nodes = [
    { type: "dir", path: "/data", mode: 2 ** 31 + 0o755 },
    {
      ...{ type: "file", path: "/data/caf\ufffd\ufffd", size: 1, mode: 0o644 },
      mtime: `${seconds}.${String(mtimeNs % 1_000_000_000n).padStart(9, "0")}Z`,
    },
  ].map((one) => ({ struct_type: "node", uid, gid, ...one }));
  const restic = (lines: readonly string[]): Restic => ({
    run: () => expect.fail("nothing else runs"),
    password: "",
    async follow(_args, { line }) {
      for (const text of lines) line?.(text);
    },
  });
  const compare = (lines: readonly string[]) =>
    compareBackup(
      restic(lines),
      { backup: "abc", path },
      { signal: new AbortController().signal, sign() {} },
    );
  const lines = nodes.map((one) => JSON.stringify(one));
  await expect(compare(lines)).resolves.toEqual({ files: 1, bytes: 1 });
  await expect(compare(lines.slice(1))).rejects.toMatchObject({ code: "backup_differs" });
  await expect(compare(["no JSON"])).rejects.toMatchObject({ code: "backup_failed" });
});
