import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { packBackup, readBackup, writeBackup } from "./file.ts";
import { type BackupManifest, type BackupStream, frame, frameTypes } from "./format.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(`${tmpdir()}/ployz-backup-`);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const stream = (name: string) => ({ name, config: {}, state: { last_seq: 7 } }) as unknown as BackupStream;
const manifest = {
  v: 1,
  cluster: "c",
  generation: 4,
  lineage: "",
  versions: {},
  createdAt: "2026-01-01T00:00:00Z",
  consistent: true,
  streams: [stream("A"), stream("B")],
} satisfies BackupManifest;
const large = Buffer.alloc(200_000, "x");

async function* body() {
  for (const [name, chunks] of [
    ["A", [Buffer.from("one"), large]],
    ["B", []],
  ] as const) {
    yield frame(frameTypes.stream, Buffer.from(JSON.stringify({ name })));
    for (const chunk of chunks) yield frame(frameTypes.data, chunk);
  }
  yield frame(frameTypes.manifest, Buffer.from(JSON.stringify(manifest)));
}

async function contents(path: string, passphrase?: string) {
  const backup = await readBackup(path, passphrase === undefined ? {} : { passphrase });
  const found: Record<string, string> = {};
  for await (const { stream: one, chunks } of backup.streams()) {
    const parts: Buffer[] = [];
    for await (const chunk of chunks()) parts.push(chunk);
    found[one.name] = Buffer.concat(parts).toString();
  }
  return { manifest: backup.manifest, found };
}

it.each([
  ["in the clear", undefined],
  ["encrypted", "correct horse"],
])("reads back the written backup, %s", async (_, passphrase) => {
  const path = `${dir}/round-${passphrase === undefined}`;
  await writeBackup(path, packBackup(body(), passphrase));
  expect(await contents(path, passphrase)).toEqual({ manifest, found: { A: `one${large}`, B: "" } });
  expect((await readFile(path)).includes("one")).toBe(passphrase === undefined);
});

it("tells a wrong passphrase, and a missing one, from damage", async () => {
  const path = `${dir}/sealed`;
  await writeBackup(path, packBackup(body(), "right"));
  await expect(readBackup(path, { passphrase: "wrong" })).rejects.toMatchObject({ code: "backup_wrong_key" });
  await expect(readBackup(path)).rejects.toMatchObject({ code: "backup_wrong_key" });
});

it("refuses a file with any byte flipped, and one that was cut", async () => {
  for (const passphrase of [undefined, "right"]) {
    const path = `${dir}/damaged`;
    await writeBackup(path, packBackup(body(), passphrase));
    const whole = await readFile(path);
    const damage = fc.oneof(
      fc.nat(whole.length - 1).map((at) => {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        return bytes;
      }),
      fc.nat(whole.length - 1).map((end) => whole.subarray(0, end)),
    );
    await fc.assert(
      fc.asyncProperty(damage, async (bytes) => {
        await writeFile(path, bytes);
        const options = passphrase === undefined ? {} : { passphrase };
        await expect(readBackup(path, options)).rejects.toMatchObject({ code: "backup_invalid" });
      }),
      { numRuns: 40 },
    );
  }
});

it("leaves nothing where the transfer broke off", async () => {
  const path = `${dir}/partial`;
  async function* broken() {
    yield Buffer.from("PLOYZBK1");
    throw new Error("cable");
  }
  await expect(writeBackup(path, broken())).rejects.toThrow("cable");
  await expect(readBackup(path)).rejects.toMatchObject({ code: "backup_missing" });
  await expect(readFile(`${path}.part`)).rejects.toMatchObject({ code: "ENOENT" });
});
