import { isUtf8 } from "node:buffer";
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { LIMITS } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";
import { usage } from "../errors.ts";
import { whyUnreadable } from "../files.ts";
import { isTable, type Table } from "./document.ts";

/** The workload with the content of each file that it names by `path`. Other shapes stay, for the check. */
export async function withContent(spec: Table, folder: string): Promise<Table> {
  const { files } = spec;
  if (!isTable(files)) return spec;
  const read = await Promise.all(
    Object.entries(files).map(async ([target, file]) => {
      if (!isTable(file) || typeof file.path !== "string") return [target, file] as const;
      const { path, ...rest } = file;
      return [target, { ...rest, ...(await contentOf(resolve(folder, path), path)) }] as const;
    }),
  );
  return { ...spec, files: Object.fromEntries(read) as Table };
}

async function contentOf(
  path: string,
  shown: string,
): Promise<{ readonly text: string } | { readonly base64: string }> {
  try {
    const { size } = await stat(path);
    if (size > LIMITS.manifest)
      throw usage(
        `${shown} has ${size} bytes; a manifest and its files have at most ${LIMITS.manifest}`,
        "put large files into the image, the bundle or a volume",
      );
    const bytes = await readFile(path);
    return isUtf8(bytes) && !bytes.includes(0)
      ? { text: bytes.toString("utf8") }
      : { base64: bytes.toString("base64") };
  } catch (error) {
    if (error instanceof PloyzError) throw error;
    throw usage(`${shown}: ${whyUnreadable(error as NodeJS.ErrnoException)}`);
  }
}
