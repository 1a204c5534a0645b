import type { VolumeFile } from "@ployz/primitives/client";
import { expect, test } from "vitest";
import { openVolumeFiles, writeVolumeFile } from "./volume-file.ts";

const HEAD: VolumeFile = {
  ...{ cluster: "prod-1", namespace: "prod", volume: "data", spec: { scope: "single" }, version: "1.0.0" },
  ...{ snapshot: { name: "s", guid: "7" }, exportedAt: "2026-01-01T00:00:00.000Z" },
};
const PARTS = [Buffer.from("first "), Buffer.alloc(0), Buffer.from("second "), Buffer.from("last")];

async function all(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}
async function* of(...parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* parts;
}
const file = () => all(writeVolumeFile(HEAD, of(...PARTS)));
const read = async (...parts: readonly Buffer[]) => {
  const { heads, streams } = await openVolumeFiles(of(...parts));
  const contents: string[] = [];
  for (const stream of streams) contents.push((await all(stream)).toString());
  return { heads, contents };
};

test("reads back the written bytes, however they are chunked", async () => {
  const whole = await file();
  for (const size of [1, 3, 7, whole.length]) {
    const parts = Array.from({ length: Math.ceil(whole.length / size) }, (_, k) =>
      whole.subarray(k * size, (k + 1) * size),
    );
    expect(await read(...parts)).toEqual({ heads: [HEAD], contents: ["first second last"] });
  }
});

test("the last of it is not given out when anything is wrong, wherever it is cut or changed", async () => {
  const whole = await file();
  const begins = whole.indexOf("first") - 4;
  for (let at = begins; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 0x20;
    for (const bad of [whole.subarray(0, at), changed]) {
      const { streams } = await openVolumeFiles(of(bad));
      let seen = "";
      const reading = (async () => {
        for (const stream of streams) for await (const part of stream) seen += part.toString();
      })();
      await expect(reading, `at ${at}`).rejects.toMatchObject({ code: "volume_file_damaged" });
      expect(seen).not.toContain("last");
    }
  }
});

test.each([
  ["", "first line is wrong"],
  ["ployz-volume 3\n{}\n", "first line is wrong"],
  ['ployz-volume 2\n{"snapshot":{}}\n', "is incomplete"],
  ['ployz-volume 1\n{"snapshot":{},"base":{}}\n', "is incomplete"],
  ["ployz-volumes 1\n[]\n", "are incomplete"],
  [`ployz-volumes 1\n[${"{},".repeat(100)}{}]\n`, "are incomplete"],
  ["ployz-volume 1\n", "is missing"],
  ["ployz-volume 1\nno\n", "is unreadable"],
  ["ployz-volume 1\n{}\n", "is incomplete"],
  ["ployz-volume 1\nnull\n", "is incomplete"],
])("%j is not a volume file", async (text, why) => {
  await expect(openVolumeFiles(of(Buffer.from(text)))).rejects.toMatchObject({
    ...{ code: "volume_file_invalid", message: expect.stringContaining(why) },
  });
});

const LATER: VolumeFile = { ...HEAD, snapshot: { name: "t", guid: "8" }, base: HEAD.snapshot };
const LAST: VolumeFile = { ...HEAD, snapshot: { name: "u", guid: "9" }, base: LATER.snapshot };
const several = async (heads: readonly VolumeFile[], described = heads) => {
  const files = await Promise.all(
    heads.map((head) => all(writeVolumeFile(head, of(Buffer.from(head.snapshot.name))))),
  );
  return Buffer.concat([Buffer.from(`ployz-volumes 1\n${JSON.stringify(described)}\n`), ...files]);
};

test("several files are read one after the other", async () => {
  const whole = await several([HEAD, LATER, LAST]);
  for (const size of [1, 7, whole.length]) {
    const parts = Array.from({ length: Math.ceil(whole.length / size) }, (_, k) =>
      whole.subarray(k * size, (k + 1) * size),
    );
    expect(await read(...parts)).toEqual({ heads: [HEAD, LATER, LAST], contents: ["s", "t", "u"] });
  }
});

test.each([
  ["a difference alone", [LATER], /file 1 has only what changed since snapshot s, and no file is before it/],
  [
    "a gap",
    [HEAD, LAST],
    /file 2 has only what changed since snapshot t, and the file before it ends elsewhere/,
  ],
  ["the wrong order", [HEAD, LAST, LATER], /file 2 has only/],
  ["two whole ones", [HEAD, HEAD], /file 2 \(snapshot s\) is a whole volume/],
])("files that do not belong together are refused before anything is read: %s", async (_, heads, why) => {
  const bytes = heads.length === 1 ? await all(writeVolumeFile(LATER, of())) : await several(heads);
  await expect(read(bytes)).rejects.toMatchObject({
    ...{ code: "volume_file_invalid", message: expect.stringMatching(why) },
  });
});

test("a file is not taken for another one, and nothing may follow the last", async () => {
  const other: VolumeFile = { ...LATER, volume: "other" };
  await expect(read(await several([HEAD, LATER], [HEAD, other]))).rejects.toMatchObject({
    ...{ code: "volume_file_damaged", message: expect.stringContaining("not the one that was described") },
  });
  for (const whole of [await file(), await several([HEAD, LATER])])
    await expect(read(whole, await file())).rejects.toMatchObject({
      ...{ code: "volume_file_damaged", message: expect.stringContaining("something follows") },
    });
});
