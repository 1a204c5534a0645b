import { createHash } from "node:crypto";
import type { VolumeFile } from "@ployz/primitives/client";
import { PloyzError } from "../error-codes.ts";

/**
 * A volume in one file: a line with the format's name, a line of JSON (`VolumeFile`), the bytes of `zfs send` in frames (length of four bytes,
 * big endian, then that many; the last frame has the highest bit of its length set), and a line of JSON with their count and the
 * SHA-256 over the JSON line and them. A wrong length is detected before the preceding frame is yielded.
 */
const MAGIC = "ployz-volume 1\n";
const MAX_LINE = 65_536;
const MAX_FRAME = 16 * 1024 * 1024;
const LAST = 0x8000_0000;

type Trailer = { readonly bytes: number; readonly sha256: string };

export async function* writeVolumeFile(
  head: VolumeFile,
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const line = `${JSON.stringify(head)}\n`;
  const hash = createHash("sha256").update(line);
  yield Buffer.from(MAGIC + line);
  let bytes = 0;
  let held: Buffer = Buffer.alloc(0);
  for await (const data of source) {
    if (data.length === 0) continue;
    hash.update(data);
    bytes += data.length;
    if (held.length > 0) {
      yield lengthOf(held.length);
      yield held;
    }
    held = data;
  }
  const trailer: Trailer = { bytes, sha256: hash.digest("hex") };
  yield lengthOf(LAST + held.length);
  yield held;
  yield Buffer.from(`${JSON.stringify(trailer)}\n`);
}

export interface OpenedVolumeFile {
  readonly head: VolumeFile;
  /**
   * Yields the output of `zfs send`. Yields the last part only after verifying the checksum, so that a damaged file never looks complete. @throws PloyzError `volume_file_damaged`.
   */
  readonly stream: AsyncGenerator<Buffer>;
}

/** @throws PloyzError `volume_file_invalid`: not a volume file. */
export async function openVolumeFile(source: AsyncIterator<Buffer>): Promise<OpenedVolumeFile> {
  const reader = readerOf(source);
  if ((await reader.upTo(MAGIC.length)).toString("latin1") !== MAGIC)
    throw invalid("its first line is wrong");
  const line = await reader.line();
  if (line === undefined) throw invalid("its description is missing");
  let head: VolumeFile;
  try {
    head = JSON.parse(line) as VolumeFile;
  } catch {
    throw invalid("its description is unreadable");
  }
  if (
    typeof head !== "object" ||
    head === null ||
    typeof head.snapshot !== "object" ||
    head.snapshot === null
  )
    throw invalid("its description is incomplete");
  return { head, stream: framesOf(reader, createHash("sha256").update(`${line}\n`)) };
}

async function* framesOf(reader: Reader, hash: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  let held: Buffer | undefined;
  let bytes = 0;
  for (let last = false; !last; ) {
    const said = (await reader.exactly(4)).readUInt32BE();
    last = said >= LAST;
    const length = last ? said - LAST : said;
    if (length > MAX_FRAME) throw damaged("it contains an impossible length");
    const data = await reader.exactly(length);
    hash.update(data);
    bytes += length;
    if (held !== undefined) yield held;
    held = data;
  }
  const line = await reader.line();
  if (line === undefined) throw damaged("it ends too early");
  const expected: Trailer = { bytes, sha256: hash.digest("hex") };
  if (line !== JSON.stringify(expected)) throw damaged("its checksum does not match");
  if (held !== undefined) yield held;
}

interface Reader {
  /** Fewer at the end. */
  upTo(length: number): Promise<Buffer>;
  /** @throws PloyzError `volume_file_damaged`. */
  exactly(length: number): Promise<Buffer>;
  /** A line without its end; `undefined` at the end of the file. */
  line(): Promise<string | undefined>;
}

function readerOf(source: AsyncIterator<Buffer>): Reader {
  let rest: Buffer = Buffer.alloc(0);
  let ended = false;
  const more = async () => {
    if (ended) return false;
    const next = await source.next();
    ended = next.done === true;
    if (next.done !== true) rest = rest.length === 0 ? next.value : Buffer.concat([rest, next.value]);
    return !ended;
  };
  const take = (length: number) => {
    const taken = rest.subarray(0, length);
    rest = rest.subarray(length);
    return taken;
  };
  const upTo = async (length: number) => {
    while (rest.length < length && (await more()));
    return take(length);
  };
  return {
    upTo,
    async exactly(length) {
      const data = await upTo(length);
      if (data.length < length) throw damaged("it ends too early");
      return data;
    },
    async line() {
      for (;;) {
        const end = rest.indexOf(0x0a);
        if (end >= 0) {
          const line = take(end).toString("utf8");
          take(1);
          return line;
        }
        if (rest.length > MAX_LINE || !(await more())) return undefined;
      }
    },
  };
}

const lengthOf = (length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
};

const invalid = (why: string) =>
  new PloyzError({
    code: "volume_file_invalid",
    message: `the file is not an exported volume: ${why}`,
    hint: "use a file written by ployzctl volume export",
  });

const damaged = (why: string) =>
  new PloyzError({
    code: "volume_file_damaged",
    message: `the file is damaged: ${why}`,
    hint: "use another copy of the file, or export the volume again; nothing was imported",
  });
