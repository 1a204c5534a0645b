import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { verified } from "./verify.ts";

/** As the daemon writes it. */
function fileOf(frames: readonly string[]): Buffer {
  const head = `${JSON.stringify({ namespace: "prod", volume: "däta" })}\n`;
  const hash = createHash("sha256").update(head);
  const parts: Buffer[] = [Buffer.from(`ployz-volume 1\n${head}`)];
  for (const [index, frame] of frames.entries()) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(frame.length + (index === frames.length - 1 ? 0x8000_0000 : 0));
    parts.push(length, Buffer.from(frame));
    hash.update(frame);
  }
  const trailer = { bytes: frames.join("").length, sha256: hash.digest("hex") };
  return Buffer.concat([...parts, Buffer.from(`${JSON.stringify(trailer)}\n`)]);
}
async function passed(file: Buffer, size: number): Promise<Buffer> {
  async function* pieces() {
    for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
  }
  const all: Buffer[] = [];
  for await (const chunk of verified(pieces())) all.push(chunk);
  return Buffer.concat(all);
}
const file = fileOf(["some\ndata", "more", "the last"]);

test.each([1, 3, 7, 1000])("a whole file passes unchanged, in pieces of %s bytes", async (size) => {
  expect(await passed(file, size)).toEqual(file);
  const empty = fileOf([""]);
  expect(await passed(empty, size)).toEqual(empty);
});

test("every byte that is missing, and every byte that is changed, is noticed", async () => {
  for (let at = 0; at < file.length; at++) {
    await expect(passed(file.subarray(0, at), 5)).rejects.toMatchObject({ code: "export_damaged" });
    const flipped = Buffer.from(file);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    await expect(passed(flipped, 5)).rejects.toMatchObject({ code: "export_damaged" });
  }
  const longer = Buffer.concat([file, Buffer.from("x")]);
  await expect(passed(longer, 5)).rejects.toMatchObject({ code: "export_damaged" });
});
