import { appendFile, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditEntry } from "@ployz/primitives/client";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openAudit } from "./audit.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployzd-audit-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const entry = (n: number): AuditEntry => ({
  ...{
    type: "call",
    at: "2026-01-01T00:00:00.000Z",
    caller: "m2",
    command: "instance.start",
    outcome: "done",
  },
  ...{ operation: "01J", object: `prod.web.${n}` },
});
const fail = (error: unknown) => {
  throw error;
};
const signal = new AbortController().signal;

async function take(entries: AsyncIterable<AuditEntry>, count = Number.POSITIVE_INFINITY) {
  const found: AuditEntry[] = [];
  for await (const one of entries) if (found.push(one) >= count) break;
  return found;
}

it("survives a restart, a cut line and its own limit", async () => {
  const path = join(dir, "audit.log");
  const first = openAudit(path, fail, 2_000);
  for (let n = 0; n < 40; n++) first.write(entry(n));
  await take(first.read({ tail: 1, follow: false }, signal));
  await appendFile(path, '{"cut');
  const again = openAudit(path, fail, 2_000);
  const kept = await take(again.read({ tail: 1_000, follow: false }, signal));
  expect(kept.at(-1)).toEqual(entry(39));
  expect(kept.length).toBeGreaterThan(10);
  expect((await stat(path)).size).toBeLessThan(2_300);
});

it("is followed without a gap, until the reader leaves", async () => {
  const audit = openAudit(join(dir, "audit.log"), fail);
  audit.write(entry(1));
  const stop = new AbortController();
  const following = take(audit.read({ tail: 10, follow: true }, stop.signal), 3);
  audit.write(entry(2));
  await new Promise((resolve) => setTimeout(resolve, 50));
  audit.write(entry(3));
  const seen = (await following).map(({ object }) => object);
  expect(new Set(seen)).toEqual(new Set(["prod.web.1", "prod.web.2", "prod.web.3"]));
});
