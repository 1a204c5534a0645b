import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { run } from "@ployz/exec";
import { inMachine } from "./machine.ts";
import { cacheRoot, guestDir, stateRoot } from "./names.ts";
import type { LabSpec } from "./spec.ts";

/** The layer of the installed payload, to be stacked on `layers` (top first). Seconds the first time, the same for every kind of root. */
export async function ensurePayload(
  tarball: string,
  layers: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(tarball), hash);
  const layer = join(cacheRoot, "payloads", hash.digest("hex").slice(0, 12));
  await run(join(guestDir, "payload.sh"), [layer, tarball, layers.join(":"), stateRoot], {
    timeoutMs: 300_000,
    ...(signal && { signal }),
  });
  return layer;
}

/** On m1 of virtual machines, whose disk is no overlay. */
export async function installPayload(spec: LabSpec, tarball: string, signal?: AbortSignal): Promise<void> {
  await inMachine(spec, 1, ["sh", "-c", "cat >/root/ployz-payload.tar"], {
    input: await readFile(tarball),
    timeoutMs: 60_000,
  });
  const script = "rm -rf ployz && tar -xf ployz-payload.tar && exec ./ployz/install.sh";
  await inMachine(spec, 1, ["sh", "-c", script], { timeoutMs: 120_000, ...(signal && { signal }) });
}
