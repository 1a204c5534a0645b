import { access, type FileHandle, open } from "node:fs/promises";
import { PloyzError } from "./error-codes.ts";

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "is a folder",
};

/** Why a file could not be read. */
export const whyUnreadable = ({ code, message }: NodeJS.ErrnoException): string => WHY[code ?? ""] ?? message;

/** Refuses to overwrite. `given`: as the operator wrote it. @throws PloyzError `file_exists`. */
export async function needAbsent(path: string, given: string): Promise<void> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere)
    throw new PloyzError({
      code: "file_exists",
      message: `--output: ${given} already exists`,
      hint: "name another file, or remove this one",
    });
}

/** Opens the file that becomes `path` once it is complete. @throws PloyzError `file_unwritable`. */
export async function openPart(path: string, given: string): Promise<FileHandle> {
  try {
    return await open(`${path}.part`, "w", 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "its folder does not exist" : (WHY[code ?? ""] ?? message);
    throw new PloyzError({
      code: "file_unwritable",
      message: `--output: ${given}: ${why}`,
      hint: "name a file in a folder that is there and can be written",
    });
  }
}
