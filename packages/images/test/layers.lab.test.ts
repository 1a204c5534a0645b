import { createHash } from "node:crypto";
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { run } from "@ployz/exec";
import { type Header, pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chainIds } from "../src/layers/chain.ts";
import { openFolderLayers } from "../src/layers/folders.ts";
import { unpackLayer } from "../src/layers/unpack.ts";
import { within } from "../src/layers/within.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-layers-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const digest = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const signal = new AbortController().signal;

type Entry = Partial<Header> & { readonly name: string; readonly text?: string };

async function layer(...entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { text = "", ...header } of entries) tar.entry(header, text);
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

async function root(): Promise<string> {
  return mkdtemp(join(dir, "root-"));
}

const apply = (tar: Buffer, folder: string, sent = tar) =>
  unpackLayer({ diffId: digest(tar), open: () => Readable.from([sent]) }, folder, { signal });

describe("a layer is applied by the rules of the image specification", () => {
  it("owners, modes, links, attributes, devices and times come as they are", async () => {
    const at = await root();
    const mtime = new Date("2020-02-02T02:02:02Z");
    const tar = await layer(
      { name: "bin/", type: "directory", mode: 0o1777, uid: 12, gid: 34, mtime },
      { name: "bin/su", mode: 0o4755, uid: 7, gid: 8, text: "x" },
      { name: "bin/same", type: "link", linkname: "bin/su" },
      { name: "bin/soft", type: "symlink", linkname: "/nowhere/at/all" },
      { name: "bin/marked", text: "x", pax: { "SCHILY.xattr.user.colour": "red" } },
      { name: "null", type: "character-device", devmajor: 1, devminor: 3, mode: 0o666 },
      { name: "pipe", type: "fifo" },
      { name: "name with a\nnewline and ü", text: "x" },
    );
    await apply(tar, at, gzipSync(tar));
    const su = await stat(join(at, "bin/su"));
    expect([su.mode & 0o7777, su.uid, su.gid, su.nlink]).toEqual([0o4755, 7, 8, 2]);
    expect((await stat(join(at, "bin/same"))).ino).toBe(su.ino);
    const bin = await stat(join(at, "bin"));
    expect([bin.mode & 0o7777, bin.uid, bin.gid, bin.mtime]).toEqual([0o1777, 12, 34, mtime]);
    expect(await readlink(join(at, "bin/soft"))).toBe("/nowhere/at/all");
    const { stdout } = await run("python3", ["-c", GET_ATTRIBUTE, join(at, "bin/marked")]);
    expect(stdout).toBe("red");
    expect((await lstat(join(at, "null"))).rdev).toBe(0x103);
    expect((await lstat(join(at, "pipe"))).isFIFO()).toBe(true);
    expect((await readdir(at)).sort()).toEqual(["bin", "name with a\nnewline and ü", "null", "pipe"]);
  });

  it("whiteouts remove files of lower layers, not those of their own layer", async () => {
    const at = await root();
    await mkdir(join(at, "a/b"), { recursive: true });
    for (const name of ["a/one", "a/two", "a/b/deep", "gone"]) await writeFile(join(at, name), "old");
    await apply(
      await layer(
        { name: "a/new", text: "new" },
        { name: "a/.wh..wh..opq" },
        { name: ".wh.gone" },
        { name: "gone", text: "again" },
        { name: ".wh.never" },
        { name: ".wh..wh.plnk/", type: "directory" },
      ),
      at,
    );
    expect((await readdir(join(at, "a"))).sort()).toEqual(["new"]);
    expect(await readFile(join(at, "gone"), "utf8")).toBe("again");
    expect((await readdir(at)).sort()).toEqual(["a", "gone"]);
  });

  it("a file takes the place of a folder, a folder that of a link, and a file keeps its second name", async () => {
    const at = await root();
    await apply(
      await layer(
        { name: "d/x", text: "x" },
        { name: "l", type: "symlink", linkname: "d" },
        { name: "f", text: "1" },
      ),
      at,
    );
    await apply(
      await layer(
        { name: "d", text: "now a file" },
        { name: "l/", type: "directory" },
        { name: "f2", type: "link", linkname: "f" },
      ),
      at,
    );
    expect(await readFile(join(at, "d"), "utf8")).toBe("now a file");
    expect((await lstat(join(at, "l"))).isDirectory()).toBe(true);
    expect((await stat(join(at, "f"))).nlink).toBe(2);
  });

  it("a folder that a layer names again keeps what lower layers put there", async () => {
    const at = await root();
    const folders = [
      { name: "./", type: "directory", mode: 0o755 },
      { name: "./a/", type: "directory", mode: 0o755 },
    ] as const;
    await apply(await layer(...folders, { name: "./a/low", text: "1" }, { name: "./b", text: "1" }), at);
    await apply(await layer(...folders, { name: "./a/high", text: "2" }), at);
    expect((await readdir(at)).sort()).toEqual(["a", "b"]);
    expect((await readdir(join(at, "a"))).sort()).toEqual(["high", "low"]);
  });

  it("a sparse file stays sparse", async () => {
    const [from, at] = [await root(), await root()];
    await run("truncate", ["-s", "64M", join(from, "hole")]);
    await run("tar", ["-C", from, "-cSf", join(dir, "sparse.tar"), "hole"]);
    await apply(await readFile(join(dir, "sparse.tar")), at);
    const { size, blocks } = await stat(join(at, "hole"));
    expect([size, blocks < 100]).toEqual([64 * 2 ** 20, true]);
  });

  it("a layer in zstd is read where Node can", async () => {
    const zlib: Partial<typeof import("node:zlib")> = await import("node:zlib");
    const tar = await layer({ name: "z", text: "zstd" });
    const packed = zlib.zstdCompressSync?.(tar) ?? tar;
    const at = await root();
    await apply(tar, at, packed);
    expect(await readFile(join(at, "z"), "utf8")).toBe("zstd");
  });
});

describe("nothing outside of the root is touched", () => {
  it.each([
    ["a path upwards", [{ name: "a/../../out", text: "bad" }]],
    ["a whiteout upwards", [{ name: "../.wh.victim" }]],
    ["a whiteout of the parent", [{ name: "a/.wh..." }]],
  ] as const)("%s is refused", async (_, entries) => {
    const at = join(await root(), "inner");
    await mkdir(at);
    await writeFile(join(at, "../victim"), "kept");
    await expect(apply(await layer(...entries), at)).rejects.toMatchObject({ code: "image_invalid" });
    expect(await readdir(join(at, ".."))).toEqual(["inner", "victim"]);
    expect(await readdir(at)).toEqual([]);
  });

  it("links that lead out lead within, for files and for whiteouts", async () => {
    const outer = await root();
    const at = join(outer, "inner");
    await mkdir(join(at, "target"), { recursive: true });
    await writeFile(join(outer, "victim"), "kept");
    await symlink(outer, join(at, "absolute"));
    await symlink("../../../../../../..", join(at, "up"));
    await symlink("/target", join(at, "good"));
    await writeFile(join(at, "target/old"), "old");
    await apply(await layer({ name: "up/.wh.victim" }, { name: "absolute/.wh.victim" }), at);
    await apply(
      await layer(
        { name: "good/new", text: "new" },
        { name: "up/top", text: "top" },
        { name: "good/.wh.old" },
      ),
      at,
    );
    expect((await readdir(outer)).sort()).toEqual(["inner", "victim"]);
    expect(await readdir(join(at, "target"))).toEqual(["new"]);
    expect(await readFile(join(at, "top"), "utf8")).toBe("top");
    expect(await within(at, "absolute/x", { follow: true })).toBeUndefined();
    await expect(apply(await layer({ name: "absolute/x", text: "bad" }), at)).rejects.toMatchObject({
      code: "image_invalid",
    });
    expect((await readdir(outer)).sort()).toEqual(["inner", "victim"]);
  });

  it("content that its configuration does not name, and half a layer, are refused", async () => {
    const at = await root();
    const tar = await layer({ name: "x", text: "x".repeat(100_000) });
    const wrong = unpackLayer(
      { diffId: digest(Buffer.from("other")), open: () => Readable.from([tar]) },
      at,
      {
        signal,
      },
    );
    await expect(wrong).rejects.toMatchObject({ code: "image_invalid" });
    await expect(apply(tar, at, gzipSync(tar).subarray(0, 100))).rejects.toMatchObject({
      code: "image_invalid",
    });
    expect(await readdir(at)).toEqual([]);
  });
});

it("folders of layers share, give each instance its own files, and stay while something needs them", async () => {
  const at = join(dir, "store");
  const layers = openFolderLayers(at);
  const [low, high] = chainIds(["sha256:1", "sha256:2"].map((name) => digest(Buffer.from(name)))) as [
    string,
    string,
  ];
  const write = (name: string, text: string) => (folder: string) => writeFile(join(folder, name), text);
  await layers.add({ chain: low }, write("low", "1"));
  await expect(
    layers.add({ chain: high, parent: low }, async (folder) => {
      await write("half", "x")(folder);
      throw new Error("cut");
    }),
  ).rejects.toThrow("cut");
  expect([await layers.has(low), await layers.has(high)]).toEqual([true, false]);
  await layers.add({ chain: high, parent: low }, async (folder) => {
    expect(await readdir(folder)).toEqual(["low"]);
    await rm(join(folder, "low"));
    await write("high", "2")(folder);
  });
  expect(await layers.layers()).toEqual([{ chain: low }, { chain: high, parent: low }]);
  const [one, two] = [await layers.root("a.one", high), await layers.root("b.two", high)];
  await write("mine", "1")(one);
  expect([await readdir(one), await readdir(two)]).toEqual([["high", "mine"].sort(), ["high"]]);
  // A power cut takes the mount, not the files.
  await run("umount", [one]).catch(() => {});
  expect((await readdir(await openFolderLayers(at).root("a.one", high))).sort()).toEqual(["high", "mine"]);
  await expect(layers.remove(high)).rejects.toMatchObject({ code: "layer_needed" });
  await expect(layers.remove(low)).rejects.toMatchObject({ code: "layer_needed" });
  for (const id of ["a.one", "b.two"]) await layers.removeRoot(id);
  await layers.remove(high);
  await layers.remove(low);
  expect([await layers.layers(), await layers.roots()]).toEqual([[], []]);
  expect((await readFile("/proc/self/mountinfo", "utf8")).includes(at)).toBe(false);
});

const GET_ATTRIBUTE = "import os, sys; sys.stdout.write(os.getxattr(sys.argv[1], 'user.colour').decode())";
