import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openInstanceFiles } from "../state/instance-files.ts";
import { type InstanceDeps, removeInstance } from "./instances.ts";

it("of a removed instance nothing stays, no secret in a file either", async () => {
  const dir = await mkdtemp(join(tmpdir(), "instances-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const files = openInstanceFiles(dir);
  const id = "prod.db.1.x";
  await files.write(
    { id, files: { "/run/secrets/key": { secret: "key", mode: 0o400 } } },
    { "/run/secrets/key": "s3cret" },
  );
  expect(await readdir(dir)).toEqual([id]);
  const removed: string[] = [];
  const step = (name: string) => async () => void removed.push(name);
  const deps: Partial<Record<keyof InstanceDeps, unknown>> = {
    ...{ files, log: () => {} },
    endedLogs: { keep: () => Promise.reject(new Error("no room")) },
    runtime: { remove: step("instance") },
    reservations: { release: step("address") },
    stopped: { remove: step("order to stay stopped") },
    secrets: { forget: step("secrets") },
  };
  await removeInstance(id, deps as InstanceDeps);
  expect(await readdir(dir)).toEqual([]);
  expect(removed).toEqual(["instance", "address", "order to stay stopped", "secrets"]);
});
