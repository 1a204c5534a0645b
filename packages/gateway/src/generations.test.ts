import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readCurrent, switchTo, writeGeneration } from "./generations.ts";

test("what a version without TLS and redirects wrote is still the state that a gateway starts from", async () => {
  const dir = await mkdtemp(join(tmpdir(), "ployz-generations-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const saved = { table: { version: "v1", routes: [] }, drained: [], departed: [] };
  const { name } = await writeGeneration(dir, {
    config: "c",
    map: "m",
    https: "h yes\n",
    redirects: "r x\n",
    saved,
  });
  await switchTo(dir, name);
  expect(await readCurrent(dir)).toMatchObject({ map: "m", https: "h yes\n", saved });
  for (const file of ["https.map", "redirects.map"]) await rm(join(dir, name, file));
  expect(await readCurrent(dir)).toMatchObject({ map: "m", https: "", redirects: "", saved });
});
