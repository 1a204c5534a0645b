import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openBundles } from "./bundles.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployzd-bundles-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test("a client that dies in the middle of its upload leaves nothing", async () => {
  const store = join(dir, "bundles");
  const bundles = openBundles(store);
  const bytes = randomBytes(2_000_000);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const ends: string[] = [];
  const server = createServer((upload) => {
    bundles.put(digest, upload).then(
      () => ends.push("done"),
      () => ends.push("failed"),
    );
  });
  const socketPath = join(dir, "api.sock");
  await once(server.listen(socketPath), "listening");
  const upload = request({ socketPath, method: "PUT" }).on("error", () => {});
  upload.write(bytes.subarray(0, 1_000_000));
  await expect.poll(() => readdir(store).catch(() => [])).toHaveLength(1);
  upload.destroy();
  await expect.poll(() => ends).toEqual(["failed"]);
  expect(await readdir(store)).toEqual([]);
  server.close();
});
