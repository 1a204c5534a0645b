import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { argv } from "./argv.ts";
import { parseHolds } from "./holds.ts";
import { peek } from "./peek.ts";
import { parseEstimate } from "./send.ts";
import { HEADER_BYTES, parseStreamHeader } from "./stream-header.ts";

const code = (text: string) => expect.objectContaining({ code: text });

interface Begin {
  readonly guid?: bigint;
  readonly baseGuid?: bigint;
  readonly type?: bigint;
  readonly name?: string;
}

/** A DRR_BEGIN record as a machine of either byte order writes it. */
function begin(
  order: "LE" | "BE",
  { guid = 0n, baseGuid = 0n, type = 1n, name = "tank/a@s1" }: Begin,
): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const write = (value: bigint, at: number) => bytes[`writeBigUInt64${order}`](value, at);
  write(0x2_f5_ba_cb_acn, 8);
  write(type, 16);
  write(guid, 40);
  write(baseGuid, 48);
  bytes.write(name, 56);
  return bytes;
}

describe("the first record of a stream", () => {
  it.each(["LE", "BE"] as const)("says what it brings and what it needs, %s", (order) => {
    const guid = 13_494_963_046_227_818_736n;
    expect(parseStreamHeader(begin(order, { guid }))).toEqual({ snapshot: "tank/a@s1", guid: String(guid) });
    expect(parseStreamHeader(begin(order, { guid, baseGuid: 7n }))).toEqual({
      snapshot: "tank/a@s1",
      guid: String(guid),
      baseGuid: "7",
    });
    expect(parseStreamHeader(begin(order, { type: 2n, name: "tank/a@s3" }))).toEqual({
      snapshot: "tank/a@s3",
    });
  });

  it("as zfs-fuse 0.7 wrote it", () => {
    const bytes = Buffer.alloc(HEADER_BYTES);
    Buffer.from(
      "0000000000000000accbbaf5020000000100000000000000bc7b076b0000000002000000000000005a94343e706e66f0252a49f93c5adf2d742f6440733200",
      "hex",
    ).copy(bytes);
    expect(parseStreamHeader(bytes)).toEqual({
      snapshot: "t/d@s2",
      guid: String(0xf0_66_6e_70_3e_34_94_5an),
      baseGuid: String(0x2d_df_5a_3c_f9_49_2a_25n),
    });
  });

  it("is not anything else", () => {
    expect(parseStreamHeader(Buffer.alloc(HEADER_BYTES))).toBeUndefined();
    expect(parseStreamHeader(begin("LE", { guid: 1n }).subarray(0, 311))).toBeUndefined();
    expect(parseStreamHeader(begin("LE", { guid: 1n, name: "no snapshot" }))).toBeUndefined();
  });
});

describe("a peek", () => {
  it("waits for enough and takes nothing away", async () => {
    const stream = new PassThrough();
    const first = peek(stream, 6);
    stream.write("abc");
    stream.write("defg");
    expect(String(await first)).toBe("abcdef");
    stream.end("h");
    expect(String(await buffer(stream))).toBe("abcdefgh");
  });

  it("of a stream that is shorter, fails or is closed ends", async () => {
    const short = new PassThrough();
    short.end("abc");
    expect(String(await peek(short, 6))).toBe("abc");
    const failing = new PassThrough();
    const reading = peek(failing, 6);
    failing.on("error", () => {}).destroy(new Error("lost"));
    await expect(reading).rejects.toThrow("lost");
    const closed = new PassThrough();
    const waiting = peek(closed, 6);
    closed.destroy();
    expect((await waiting).length).toBe(0);
  });
});

describe("the calls", () => {
  const properties = { readonly: "on" };
  it.each([
    [argv.send({ snapshot: "t/a@2" }), "send t/a@2"],
    [argv.send({ snapshot: "t/a@2", base: "t/a@1" }), "send -i t/a@1 t/a@2"],
    [argv.send({ snapshot: "t/a@2", base: "t/a#1" }), "send -i t/a#1 t/a@2"],
    [argv.send({ snapshot: "t/a@2", base: "t/a@1", intermediates: true }), "send -I t/a@1 t/a@2"],
    [argv.send({ snapshot: "t/a@2", compressed: true }), "send -c -e t/a@2"],
    [argv.sendResumed("t/a@2", "1-c740-98-789c63"), "send -t 1-c740-98-789c63"],
    [argv.sendEstimate("t/a@2", "t/a@1"), "send -nvP -i t/a@1 t/a@2"],
    [argv.receive("t/b", { resumable: false, rollBack: false, properties: {} }), "receive -u t/b"],
    [
      argv.receive("t/b", { resumable: true, rollBack: true, properties }),
      "receive -u -s -F -o readonly=on t/b",
    ],
    [argv.snapshots(["t/a@1", "t/b@1"], { "x:y": "z" }), "snapshot -o x:y=z t/a@1 t/b@1"],
    [argv.bookmark("t/a@1", "t/a#1"), "bookmark t/a@1 t/a#1"],
    [argv.rollback("t/a@1", true), "rollback -r t/a@1"],
    [argv.hold("t/a@1", "send:m2"), "hold send:m2 t/a@1"],
    [argv.get("guid,used", "t/a", "children"), "get -Hp -d 1 -o name,property,value,source guid,used t/a"],
  ])("%#", ({ args }, expected) => {
    expect(args.join(" ")).toBe(expected);
  });

  it.each([
    () => argv.send({ snapshot: "t/a" }),
    () => argv.send({ snapshot: "t/a@1", base: "-R" }),
    () => argv.sendResumed("t/a@1", "--help"),
    () => argv.hold("t/a@1", "-r"),
    () => argv.hold("t/a@1", "Upper"),
    () => argv.bookmark("t/a@1", "t/a@1"),
    () => argv.rename("t/a", "-f"),
    () => argv.receive("t/a@1", { resumable: false, rollBack: false, properties }),
  ])("let no odd name through: %#", (make) => {
    expect(make).toThrow(code("name_invalid"));
  });
});

it("reads what OpenZFS prints of estimates and holds", () => {
  expect(parseEstimate("full\ttank/a@1\t1234\nsize\t1234\n")).toBe(1234);
  expect(parseEstimate("nothing")).toBeUndefined();
  expect(parseHolds("tank/a@1\tb\tThu Nov 26 00:00 2026\ntank/a@1\ta\tThu Nov 26 00:00 2026\n")).toEqual([
    "a",
    "b",
  ]);
  expect(parseHolds("")).toEqual([]);
});
