import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extract } from "tar-stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Bundle, openBundle } from "./bundle.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "bundle-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function folder(name: string, order: readonly string[]): Promise<string> {
  const root = join(dir, name);
  await mkdir(join(root, "lib"), { recursive: true });
  for (const file of order) await writeFile(join(root, file), `content of ${file}`);
  await chmod(join(root, "a"), 0o755);
  await symlink("../a", join(root, "lib/link"));
  return root;
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
  await chmod(join(two, "c"), 0o700);
  expect((await openBundle(one)).digest).not.toBe((await openBundle(two)).digest);
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
