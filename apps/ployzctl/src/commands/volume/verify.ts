import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";

/** The form of the file stands in `writeVolumeFile` of the daemon. */
const MAGICS = ["ployz-volume 1", "ployz-volume 2"];
const MAX_LINE = 65_536;
const LAST = 0x8000_0000;
const NEWLINE = 0x0a;

/**
 * Passes an exported volume on, and fails at its end where it is not whole: a length or the checksum is wrong, or something is missing.
 * Holds no more than one line of it.
 */
export async function* verified(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const file = verifier();
  for await (const chunk of source) {
    file.add(chunk);
    yield chunk;
  }
  file.end();
}

/** The line of JSON with which an exported file begins. @throws PloyzError `usage` naming the file. */
export async function descriptionOf(file: FileHandle, name: string): Promise<string> {
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(MAX_LINE), position: 0 });
  const bytes = buffer.subarray(0, bytesRead);
  const begins = bytes.indexOf(NEWLINE) + 1;
  const end = bytes.indexOf(NEWLINE, begins);
  if (begins > 0 && end !== -1 && MAGICS.includes(bytes.toString("latin1", 0, begins - 1)))
    return bytes.toString("utf8", begins, end);
  throw usage(`FILE: ${name} is not an exported volume`, "name a file that ployzctl volume export wrote");
}

type Part = "magic" | "head" | "length" | "frame" | "trailer" | "end";

function verifier() {
  const hash = createHash("sha256");
  let part: Part = "magic";
  let line = "";
  let length = 0;
  let lengthBytes = 0;
  let last = false;
  let bytes = 0;

  function ended(): void {
    if (part === "magic") {
      if (!MAGICS.includes(line)) throw damaged("its first line is wrong");
      part = "head";
    } else if (part === "head") {
      hash.update(`${line}\n`, "latin1");
      part = "length";
    } else {
      if (line !== JSON.stringify({ bytes, sha256: hash.digest("hex") }))
        throw damaged("its checksum does not match");
      part = "end";
    }
    line = "";
  }

  function frameBegins(): void {
    last = length >= LAST;
    if (last) length -= LAST;
    lengthBytes = 0;
    part = length > 0 ? "frame" : "trailer";
  }

  return {
    add(chunk: Buffer): void {
      for (let at = 0; at < chunk.length; ) {
        if (part === "end") throw damaged("something follows its end");
        if (part === "length") {
          length = length * 256 + (chunk[at++] ?? 0);
          if (++lengthBytes === 4) frameBegins();
        } else if (part === "frame") {
          const data = chunk.subarray(at, at + length);
          hash.update(data);
          at += data.length;
          bytes += data.length;
          length -= data.length;
          if (length === 0) part = last ? "trailer" : "length";
        } else {
          const found = chunk.indexOf(NEWLINE, at);
          const end = found === -1 ? chunk.length : found;
          line += chunk.toString("latin1", at, end);
          if (line.length > MAX_LINE) throw damaged("a line of it does not end");
          at = end + 1;
          if (found !== -1) ended();
        }
      }
    },
    end(): void {
      if (part !== "end") throw damaged("it ends too early");
    },
  };
}

const damaged = (why: string) =>
  new PloyzError({
    code: "export_damaged",
    message: `the exported file is damaged: ${why}`,
    hint: "export the volume again",
  });
