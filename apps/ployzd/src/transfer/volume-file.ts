import { createHash } from "node:crypto";
import type { VolumeFile } from "@ployz/primitives/client";
import { PloyzError } from "../error-codes.ts";

/**
 * A volume in one file: a line with the format's name, a line of JSON (`VolumeFile`), the bytes of `zfs send` in frames (length of four bytes,
 * big endian, then that many; the last frame has the highest bit of its length set), and a line of JSON with their count and the
 * SHA-256 over the JSON line and them. A wrong length is detected before the preceding frame is yielded.
 */
const WHOLE = "ployz-volume 1";
/** A file with a `base`: another name, so that an earlier Ployz refuses it. */
const DIFFERENCE = "ployz-volume 2";
/** Several files in one upload: this line, a line with the descriptions of all (JSON), and the files. */
const SEVERAL = "ployz-volumes 1";
const MAX_FILES = 100;
const MAX_LINE = 131_072;
const MAX_FRAME = 16 * 1024 * 1024;
const LAST = 0x8000_0000;

type Trailer = { readonly bytes: number; readonly sha256: string };

export async function* writeVolumeFile(
  head: VolumeFile,
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const line = `${JSON.stringify(head)}\n`;
  const hash = createHash("sha256").update(line);
  yield Buffer.from(`${head.base === undefined ? WHOLE : DIFFERENCE}\n${line}`);
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

export interface OpenedVolumeFiles {
  /** Of each file, oldest first: each is the base of the next. */
  readonly heads: readonly [VolumeFile, ...VolumeFile[]];
  /**
   * The output of `zfs send` of each file, to be read in this order. Yields the last part only after verifying the checksum, so that a damaged file never looks
   * complete. @throws PloyzError `volume_file_damaged`.
   */
  readonly streams: readonly AsyncGenerator<Buffer>[];
}

/** Opens one file, or several that begin with their descriptions. @throws PloyzError `volume_file_invalid`: no volume file, or files that do not belong together. */
export async function openVolumeFiles(source: AsyncIterator<Buffer>): Promise<OpenedVolumeFiles> {
  const reader = readerOf(source);
  const first = await reader.line();
  if (first !== SEVERAL) {
    const { head, stream } = await openNext(reader, first, true);
    return { heads: chain([head]), streams: [stream] };
  }
  const described = parsed(await reader.line());
  if (!Array.isArray(described) || described.length < 2 || described.length > MAX_FILES)
    throw invalid("its descriptions are incomplete");
  const heads = chain(described.map(headFrom));
  async function* next(expected: VolumeFile, isLast: boolean): AsyncGenerator<Buffer> {
    const { head, stream } = await openNext(reader, await reader.line(), isLast);
    if (JSON.stringify(head) !== JSON.stringify(expected))
      throw damaged("one of its files is not the one that was described");
    yield* stream;
  }
  return { heads, streams: heads.map((head, at) => next(head, at === heads.length - 1)) };
}

async function openNext(
  reader: Reader,
  magic: string | undefined,
  isLast: boolean,
): Promise<{ readonly head: VolumeFile; readonly stream: AsyncGenerator<Buffer> }> {
  if (magic !== WHOLE && magic !== DIFFERENCE) throw invalid("its first line is wrong");
  const line = await reader.line();
  const head = headFrom(parsed(line));
  if ((magic === DIFFERENCE) !== (head.base !== undefined)) throw invalid("its description is incomplete");
  return { head, stream: framesOf(reader, createHash("sha256").update(`${line}\n`), isLast) };
}

/** Checks that the first one is whole, and each other one continues the one before it. */
function chain(heads: readonly VolumeFile[]): readonly [VolumeFile, ...VolumeFile[]] {
  const [first, ...rest] = heads;
  if (first === undefined) throw invalid("its description is missing");
  const wrong = [undefined, ...heads].findIndex(
    (before, at) => at < heads.length && heads[at]?.base?.guid !== before?.snapshot.guid,
  );
  if (wrong === -1) return [first, ...rest];
  const { base, snapshot } = heads[wrong] ?? first;
  throw new PloyzError({
    code: "volume_file_invalid",
    message:
      base === undefined
        ? `file ${wrong + 1} (snapshot ${snapshot.name}) is a whole volume: it does not continue the file before it`
        : `file ${wrong + 1} has only what changed since snapshot ${base.name}, and ${wrong === 0 ? "no file is before it" : "the file before it ends elsewhere"}`,
    hint: "name the whole file first, then each file that was exported --since the one before it",
  });
}

function parsed(line: string | undefined): unknown {
  if (line === undefined) throw invalid("its description is missing");
  try {
    return JSON.parse(line);
  } catch {
    throw invalid("its description is unreadable");
  }
}

function headFrom(value: unknown): VolumeFile {
  const head = value as VolumeFile | null;
  if (
    typeof head !== "object" ||
    head === null ||
    typeof head.snapshot !== "object" ||
    head.snapshot === null
  )
    throw invalid("its description is incomplete");
  return head;
}

async function* framesOf(
  reader: Reader,
  hash: ReturnType<typeof createHash>,
  isLast: boolean,
): AsyncGenerator<Buffer> {
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
  if (isLast && (await reader.upTo(1)).length > 0)
    throw damaged("something follows its end; several files are named one by one");
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
