import { mkdir, mkdtemp, readFile, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadMirror, mirrorWriter } from "./disk.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mirror-"));
});
afterEach(() => rm(dir, { recursive: true }));

const entry = (revision: number) => ({ key: "prod", revision, value: { at: revision } });
const soon = () => AbortSignal.timeout(200);

test("a head that the disk does not take is not durable, is reported once, and is written as soon as the disk takes it", async () => {
  const reported: unknown[] = [];
  const state = await loadMirror(dir, () => {});
  const end = new AbortController();
  const writer = mirrorWriter(dir, state, { onError: (error) => reported.push(error), end: end.signal });
  const path = join(dir, "heads", "prod.json");
  await mkdir(path); // no file can take its place

  state.heads.set("prod", entry(7));
  writer.headChanged("prod");
  await expect(writer.durable("prod", 7, soon())).rejects.toThrow();
  state.heads.set("prod", entry(8));
  writer.headChanged("prod");
  await rmdir(path);
  await writer.durable("prod", 8, AbortSignal.timeout(5_000));
  expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ revision: 8 });
  expect(reported).toHaveLength(1);

  const again = mirrorWriter(dir, await loadMirror(dir, () => {}), { onError() {}, end: end.signal });
  await again.durable("prod", 8, soon());
  await expect(again.durable("prod", 9, soon())).rejects.toThrow();
  end.abort();
  await writer.flushed();
});
