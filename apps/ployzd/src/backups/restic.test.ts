import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { withRestic } from "./restic.ts";

/** A program in restic's place, for what restic cannot be made to do. */
async function resticThat(script: string) {
  const folder = await mkdtemp(join(tmpdir(), "ployz-restic-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "restic"), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, "restic"), 0o755);
  vi.stubEnv("PATH", `${folder}:${process.env["PATH"]}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  const store = createMemoryStore({ clock: createVirtualClock() });
  const secret = { namespace: "ops", name: "offsite" };
  await store.facts.put("secret.ops.offsite", { ...secret, version: "1", at: "", by: "" }, 0);
  return {
    ...{ store, keys: folder, cache: folder },
    secrets: { read: async () => ["password=hidden-password"] },
    leftovers: { note: async () => async () => undefined },
    repository: { name: "offsite", url: "file:/srv/x", secret },
  };
}

test("a line that its reader refuses ends the run with the reader's error, and the program", async () => {
  const { repository, ...deps } = await resticThat("echo one; echo two; exec sleep 100");
  const seen: string[] = [];
  const run = withRestic(deps, repository, (restic) =>
    restic.follow(["ls"], {
      signal: new AbortController().signal,
      line(text) {
        seen.push(text);
        throw new Error("unreadable");
      },
    }),
  );
  await expect(run).rejects.toThrow("unreadable");
  expect(seen).toEqual(["one"]);
});

test("output that is read late is whole, and input reaches the program", async () => {
  const { repository, ...deps } = await resticThat("exec cat");
  const sent = Buffer.alloc(300_000, "x");
  const got: Buffer[] = [];
  await withRestic(deps, repository, (restic) =>
    restic.follow(["dump"], {
      ...{ signal: new AbortController().signal, input: Readable.from([sent]) },
      async read(output) {
        await sleep(200);
        for await (const chunk of output) got.push(chunk as Buffer);
      },
    }),
  );
  expect(Buffer.concat(got).equals(sent)).toBe(true);
});

test("a program that ends before it has read its input says why by itself", async () => {
  const { repository, ...deps } = await resticThat("echo 'Fatal: the disk is on fire' >&2; exit 1");
  const run = withRestic(deps, repository, (restic) =>
    restic.follow(["backup"], {
      signal: new AbortController().signal,
      input: Readable.from([Buffer.alloc(3_000_000, "x")]),
    }),
  );
  await expect(run).rejects.toThrow("the disk is on fire");
});
