import { access } from "node:fs/promises";
import { PloyzError } from "./error-codes.ts";

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "it may not be read",
  EISDIR: "it is a folder",
};

/** Why a file that was named could not be read, in words. */
export const whyUnreadable = ({ code, message }: NodeJS.ErrnoException): string => WHY[code ?? ""] ?? message;

/** Nothing is written over. `given`: as the operator wrote it. @throws PloyzError `file_exists`. */
export async function needAbsent(path: string, given: string): Promise<void> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere)
    throw new PloyzError({
      code: "file_exists",
      message: `--output: ${given} is there already`,
      hint: "name another file, or remove that one",
    });
}
