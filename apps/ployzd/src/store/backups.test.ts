import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { openBackups } from "./backups.ts";

test("copies that an earlier daemon has left go; parcels of a move and files of volumes' backups stay", async () => {
  const dir = await mkdtemp(join(tmpdir(), "ployz-copies-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  for (const folder of ["parcels", "mounts", "cache"]) {
    await mkdir(join(dir, folder));
    await writeFile(join(dir, folder, "upload-1.ployz"), "kept");
  }
  for (const name of ["upload-17000000001.ployz", "made-17000000002.ployz", "made-3.ployz.part"])
    await writeFile(join(dir, name), "left");
  const options = { dir, sealKey: async () => undefined } as Parameters<typeof openBackups>[0];
  const backups = openBackups(options);
  const [one, other] = [await backups.take(Readable.from(["a"])), await backups.take(Readable.from(["b"]))];
  const names = async () => (await readdir(dir)).sort();
  expect(await names()).toEqual([
    "cache",
    "mounts",
    "parcels",
    `upload-${one}.ployz`,
    `upload-${other}.ployz`,
  ]);
  await backups.drop(one);
  expect(await names()).toEqual(["cache", "mounts", "parcels", `upload-${other}.ployz`]);
  expect(await readdir(join(dir, "mounts"))).toEqual(["upload-1.ployz"]);
});
