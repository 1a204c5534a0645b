import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { openLogFiles } from "./files.ts";
import { readAccess } from "./read.ts";
import { accessLine } from "./record.ts";

const dirs: string[] = [];
afterEach(async () => {
  for (const dir of dirs.splice(0)) await rm(dir, { recursive: true });
});
async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "ployz-access-"));
  dirs.push(dir);
  return dir;
}

const KEY = "0123456789abcdef0123456789abcdef";
const nobody = { instance: () => undefined };
const sent = (ms: number, backend: string, fields: object): string =>
  `${KEY} ${ms} 10.0.0.1:80 ${backend} ${JSON.stringify(fields)}\n`;

it("writes what HAProxy sends with its service, and leaves out what a request did not have", () => {
  const line = accessLine(
    sent(1_795_996_971_415, "http:prod:web:http::aa", { client: "-", path: "/", status: 503, queueMs: -1 }),
    KEY,
    { instance: (address) => (address === "10.0.0.1:80" ? { id: "i", machine: "m2" } : undefined) },
  );
  expect(line).toBe(
    `{"time":"2026-11-30T00:02:51.415Z","namespace":"prod","service":"web","instance":"i","instanceMachine":"m2","path":"/","status":503}\n`,
  );
  expect(accessLine(sent(1_795_996_971_415, "http", {}), KEY, nobody)).not.toContain("service");
  expect(accessLine(`${sent(1_795_996_971_415, "http", {}).slice(0, -3)}`, KEY, nobody)).toBeUndefined();
  expect(accessLine(sent(1_795_996_971_415, "http", {}), "f".repeat(32), nobody)).toBeUndefined();
});

it("keeps a bounded size, the newest lines, and a reader's place over rotations", async () => {
  const dir = await folder();
  const files = await openLogFiles(dir, {
    keepBytes: 512 * 1024,
    onError: (error) => expect.fail(String(error)),
  });
  const stop = new AbortController();
  const seen: number[] = [];
  let found: () => void = () => undefined;
  const last = 5000;
  const complete = new Promise<void>((resolve) => (found = resolve));
  const reading = (async () => {
    for await (const { status } of readAccess(
      dir,
      { service: "web", namespace: "prod", follow: true },
      stop.signal,
    )) {
      seen.push(status);
      if (status === last) found();
    }
  })();
  const pad = "x".repeat(300);
  for (let index = 1; index <= last; index++) {
    const fields = { path: `/${pad}`, status: index };
    files.append(
      accessLine(sent(1_795_996_971_415 + index, "http:prod:web:http", fields), KEY, nobody) ?? "",
    );
    // As requests come: not all in one turn.
    if (index % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await complete;
  stop.abort();
  await reading;
  await files.close();
  expect(files.lost()).toBe(0);
  const sizes = await Promise.all(
    (await readdir(dir)).map(async (name) => (await stat(join(dir, name))).size),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  expect(total).toBeGreaterThan(256 * 1024);
  expect(total).toBeLessThan(1024 * 1024);
  const kept: number[] = [];
  for await (const { status } of readAccess(dir, { tail: 3 }, new AbortController().signal))
    kept.push(status);
  expect(kept).toEqual([last - 2, last - 1, last]);
  const from = 1_795_996_971_415 + last - 1;
  const since: number[] = [];
  for await (const { status } of readAccess(dir, { sinceMs: from }, new AbortController().signal))
    since.push(status);
  expect(since).toEqual([last - 1, last]);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});
