import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { afterEach, expect, it, vi } from "vitest";
import type { Context } from "../../command.ts";
import { pushBuilt } from "./push.ts";

let dir: string | undefined;
afterEach(async () => {
  vi.unstubAllEnvs();
  if (dir !== undefined) await rm(dir, { recursive: true });
});

it("an archive that docker writes before the daemon answers is sent whole", async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-push-"));
  await writeFile(join(dir, "docker"), "#!/bin/sh\nprintf 'the archive'\n", { mode: 0o755 });
  vi.stubEnv("PATH", `${dir}:${process.env.PATH}`);
  let sent = "";
  const client = {
    async pushImage(name: string, archive: Readable) {
      sent = await text(archive);
      return { name, digest: "sha256:1" };
    },
  };
  const context = {
    signal: new AbortController().signal,
    progress: { event: () => {} },
    async client() {
      await setTimeout(500);
      return client;
    },
  };
  await pushBuilt(context as unknown as Context, "docker build", "web:v4");
  expect(sent).toBe("the archive");
});
