import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { run } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openBundles } from "../src/transfer/bundles.ts";

const MIB = 2 ** 20;
let disk = "";
beforeAll(async () => {
  disk = await mkdtemp(join(tmpdir(), "ployz-full-"));
  await run("mount", ["-t", "tmpfs", "-o", "size=4m", "ployz-full", disk]);
});
afterAll(async () => {
  await run("umount", [disk]);
  await rm(disk, { recursive: true });
});

async function tarOf(bytes: number): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), "ployz-tar-"));
  try {
    await mkdir(join(dir, "in"));
    await writeFile(join(dir, "in/data"), randomBytes(bytes));
    await run("tar", ["-cf", join(dir, "out.tar"), "-C", join(dir, "in"), "."]);
    return await readFile(join(dir, "out.tar"));
  } finally {
    await rm(dir, { recursive: true });
  }
}

it.each([
  ["packed", 6 * MIB],
  ["unpacked", 3 * MIB],
])(
  "a bundle that does not fit %s is refused with the path and the need, and leaves nothing",
  async (_, size) => {
    const bundles = openBundles(join(disk, "bundles"));
    const tar = await tarOf(size);
    const digest = createHash("sha256").update(tar).digest("hex");
    await expect(bundles.put(digest, Readable.from([tar]))).rejects.toMatchObject({
      code: "disk_full",
      message: expect.stringContaining(join(disk, "bundles", digest)),
      hint: expect.stringMatching(/free at least \d{7,} bytes/),
    });
    expect(await readdir(join(disk, "bundles"))).toEqual([]);
    const small = await tarOf(MIB / 2);
    const name = createHash("sha256").update(small).digest("hex");
    expect(await bundles.put(name, Readable.from([small]))).toEqual({ bytes: small.length });
    await rm(join(disk, "bundles"), { recursive: true });
  },
);
