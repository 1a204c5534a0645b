import type { VolumeFile } from "@ployz/primitives/client";
import { expect, test } from "vitest";
import { openVolumeFile, writeVolumeFile } from "./volume-file.ts";

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
  const { head, stream } = await openVolumeFile(of(...parts));
  return { head, content: (await all(stream)).toString() };
};

test("reads back the written bytes, however they are chunked", async () => {
  const whole = await file();
  for (const size of [1, 3, 7, whole.length]) {
    const parts = Array.from({ length: Math.ceil(whole.length / size) }, (_, k) =>
      whole.subarray(k * size, (k + 1) * size),
    );
    expect(await read(...parts)).toEqual({ head: HEAD, content: "first second last" });
  }
});

test("the last of it is not given out when anything is wrong, wherever it is cut or changed", async () => {
  const whole = await file();
  const begins = whole.indexOf("first") - 4;
  for (let at = begins; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 0x20;
    for (const bad of [whole.subarray(0, at), changed]) {
      const { stream } = await openVolumeFile(of(bad));
      let seen = "";
      const reading = (async () => {
        for await (const part of stream) seen += part.toString();
      })();
      await expect(reading, `at ${at}`).rejects.toMatchObject({ code: "volume_file_damaged" });
      expect(seen).not.toContain("last");
    }
  }
});

test.each([
  ["", "first line is wrong"],
  ["ployz-volume 2\n{}\n", "first line is wrong"],
  ["ployz-volume 1\n", "is missing"],
  ["ployz-volume 1\nno\n", "is unreadable"],
  ["ployz-volume 1\n{}\n", "is incomplete"],
  ["ployz-volume 1\nnull\n", "is incomplete"],
])("%j is not a volume file", async (text, why) => {
  await expect(openVolumeFile(of(Buffer.from(text)))).rejects.toMatchObject({
    ...{ code: "volume_file_invalid", message: expect.stringContaining(why) },
  });
});
