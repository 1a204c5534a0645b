import { createHash } from "node:crypto";
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readlink,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { extract, pack } from "tar-stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Bundle, openBundle as openUnclosed } from "./bundle.ts";
import { packFolder } from "./folder.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "bundle-"));
});
afterEach(() => run("rm", ["-rf", dir]));

async function folder(name: string, order: readonly string[]): Promise<string> {
  const root = join(dir, name);
  await mkdir(join(root, "lib"), { recursive: true });
  for (const file of order) await writeFile(join(root, file), `content of ${file}`);
  await chmod(join(root, "a"), 0o755);
  await symlink("../a", join(root, "lib/link"));
  return root;
}

const opened: Bundle[] = [];
afterEach(async () => {
  for (const bundle of opened.splice(0)) await bundle[Symbol.asyncDispose]();
});
async function openBundle(path: string): Promise<Bundle> {
  const bundle = await openUnclosed(path);
  opened.push(bundle);
  return bundle;
}

async function headers(bundle: Bundle) {
  const found: {
    name: string;
    type?: string | null;
    mode?: number;
    mtime?: Date;
    linkname?: string | null;
  }[] = [];
  const tar = extract();
  bundle.read().pipe(tar);
  for await (const entry of tar) {
    found.push(entry.header);
    entry.resume();
  }
  return found;
}

it("gives the same content the same digest, whenever and in whatever order it was written", async () => {
  const one = await folder("one", ["a", "lib/b", "c"]);
  const two = await folder("two", ["c", "lib/b", "a"]);
  await utimes(join(two, "a"), 1, 1);
  expect((await openBundle(one)).digest).toBe((await openBundle(two)).digest);
  for (const [file, mode] of [
    ["a", 0o700],
    ["c", 0o600],
    ["lib", 0o700],
  ] as const)
    await chmod(join(two, file), mode);
  expect((await openBundle(one)).digest).toBe((await openBundle(two)).digest);
  await chmod(join(two, "c"), 0o700);
  expect((await openBundle(one)).digest).not.toBe((await openBundle(two)).digest);
});

it("keeps the digest that earlier versions gave", async () => {
  const root = await folder("one", ["c", "a", "lib/b"]);
  const deep = join(root, "d".repeat(90), "e".repeat(90));
  await mkdir(deep, { recursive: true });
  await writeFile(join(deep, "f"), "x".repeat(1000));
  const before = pack();
  const base = { mtime: new Date(0), uid: 0, gid: 0, uname: "", gname: "" };
  const file = (name: string, content: string, mode = 0o644) =>
    before.entry({ ...base, name, mode }, content);
  const dir = (name: string) =>
    before.entry({ ...base, name, mode: 0o755, type: "directory" }).end(undefined);
  file("a", "content of a", 0o755);
  file("c", "content of c");
  dir("d".repeat(90));
  dir(`${"d".repeat(90)}/${"e".repeat(90)}`);
  file(`${"d".repeat(90)}/${"e".repeat(90)}/f`, "x".repeat(1000));
  dir("lib");
  file("lib/b", "content of lib/b");
  before.entry({ ...base, name: "lib/link", mode: 0o777, type: "symlink", linkname: "../a" }).end(undefined);
  before.finalize();
  const hash = createHash("sha256");
  for await (const chunk of before) hash.update(chunk as Buffer);
  expect((await openBundle(root)).digest).toBe(`sha256:${hash.digest("hex")}`);
});

it("ships names and targets of links byte for byte, long ones too", async () => {
  const root = await folder("one", ["a"]);
  const latin1 = (text: string) => Buffer.from(text, "latin1");
  const odd = [latin1(`${root}/caf\u00e9`), latin1(`${root}/${"\u00fc".repeat(200)}`)];
  for (const name of odd) await writeFile(name, "odd");
  await symlink(latin1("caf\u00e9"), join(root, "odd-link"));
  await symlink(`${"d/".repeat(80)}x`, join(root, "long-link"));
  const bundle = await openBundle(root);
  const out = join(dir, "out");
  await mkdir(out);
  const chunks: Buffer[] = [];
  for await (const chunk of bundle.read()) chunks.push(chunk as Buffer);
  await writeFile(join(dir, "bundle.tar"), Buffer.concat(chunks));
  await run("tar", ["-xf", join(dir, "bundle.tar"), "-C", out]);
  const names = async (of: string) =>
    (await readdir(of, { encoding: "buffer" })).map((name) => name.toString("latin1")).sort();
  expect(await names(out)).toEqual(await names(root));
  expect(await readlink(join(out, "odd-link"), { encoding: "buffer" })).toEqual(latin1("caf\u00e9"));
  expect(await readlink(join(out, "long-link"))).toBe(`${"d/".repeat(80)}x`);
});

it("sends its one reading of a folder in which files grow and go", async () => {
  const root = await folder("one", ["a", "c"]);
  const log = await open(join(root, "grows"), "a");
  const writing = setInterval(() => void log.write("line\n"), 1);
  try {
    await log.write("x".repeat(2_000_000));
    const bundle = await openBundle(root);
    await rm(join(root, "c"));
    const hash = createHash("sha256");
    for await (const chunk of bundle.read()) hash.update(chunk as Buffer);
    expect(bundle.digest).toBe(`sha256:${hash.digest("hex")}`);
    expect(bundle.files).toBe(3);
  } finally {
    clearInterval(writing);
    await log.close();
  }
});

it.each([
  ["shrinks", "a became shorter while it was read", (root: string) => truncate(join(root, "a"), 1)],
  ["vanishes", "c: vanished while the folder was read", (root: string) => rm(join(root, "c"))],
] as const)("names a file that %s while the folder is read", async (_, why, change) => {
  const root = await folder("one", ["a", "c"]);
  await writeFile(join(root, "a"), "x".repeat(300_000));
  const entries: string[] = [];
  const packing = async () => {
    for await (const _ of packFolder(root, ({ name }) => entries.push(name)))
      if (entries.length === 1) await change(root).catch(() => {});
  };
  await expect(packing()).rejects.toMatchObject({ code: "invalid_input", message: why });
  expect(entries).toEqual(["a"]);
});

it("leaves out what .ployzignore names, else what .dockerignore does, and .git", async () => {
  const shipped = async (root: string) =>
    (await headers(await openBundle(root))).map(({ name }) => name.replace(/\/$/, ""));
  const root = await folder("one", ["a", "c", "lib/b", "lib/c"]);
  await mkdir(join(root, "lib/.git"));
  await writeFile(join(root, ".dockerignore"), "# comment\nc\n.dockerignore\n");
  expect(await shipped(root)).toEqual(["a", "lib", "lib/b", "lib/c", "lib/link"]);
  await writeFile(join(root, ".ployzignore"), "c\n.*\n");
  expect(await shipped(root)).toEqual(["a", "lib", "lib/b", "lib/link"]);
});

it("refuses 2,000 folders in one another", async () => {
  const root = await folder("one", ["a"]);
  const nest = 'cd "$1"; d=$(printf "d/%.0s" $(seq 500)); for i in 1 2 3 4; do mkdir -p $d && cd -P $d; done';
  await run("sh", ["-c", nest, "sh", root]);
  await expect(openBundle(root)).rejects.toThrow("is too deep");
});

it("keeps modes and links, sorted, without times", async () => {
  const found = await headers(await openBundle(await folder("one", ["c", "a", "lib/b"])));
  expect(found.map(({ name }) => name.replace(/\/$/, ""))).toEqual(["a", "c", "lib", "lib/b", "lib/link"]);
  expect(found[0]).toMatchObject({ mode: 0o755, type: "file" });
  expect(found[4]).toMatchObject({ type: "symlink", linkname: "../a" });
  expect(found.every(({ mtime }) => mtime?.getTime() === 0)).toBe(true);
});

it.each([
  ["../../etc/passwd", "outside the bundle"],
  ["/etc/passwd", "outside the bundle"],
])("refuses a link to %s", async (target, why) => {
  const root = await folder("one", ["a"]);
  await symlink(target, join(root, "bad"));
  await expect(openBundle(root)).rejects.toThrow(why);
});

it("refuses devices, sockets and pipes", async () => {
  const root = await folder("one", ["a"]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, "sock"), resolve));
  try {
    await expect(openBundle(root)).rejects.toThrow("sock is a device, socket or pipe");
  } finally {
    server.close();
  }
});
