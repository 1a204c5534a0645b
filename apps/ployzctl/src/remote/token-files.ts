import { readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PloyzError } from "../error-codes.ts";
import { usage } from "../errors.ts";

const SCHEME = "token://";

/** Whether a context's host stands for a token in a file. */
export const isTokenHost = (host: string): boolean => host.startsWith(SCHEME);

/** The path of a token's file, or `-` for stdin. @throws PloyzError `usage`; a token itself is not repeated. */
export function tokenPath(field: string, host: string): string {
  const path = host.slice(SCHEME.length);
  if (path === "-" || /^\/[^\p{Cc}]{0,4000}$/u.test(path)) return path;
  throw usage(
    `${field}: a token is read from a file or from stdin, never from the command line`,
    "token:///absolute/path, or token://- for stdin",
  );
}

export const tokenHost = (path: string): string => `${SCHEME}${path}`;

/** Where `context add NAME token://-` keeps the token: beside the file of contexts. */
export const keptToken = (contexts: string, name: string): string => join(dirname(contexts), "tokens", name);

/** Readable by the user alone. */
export async function keepToken(path: string, token: string): Promise<void> {
  const { writeFileAtomic } = await import("@ployz/exec");
  await writeFileAtomic(path, `${token.trim()}\n`, 0o600);
}

export const forgetToken = (path: string): Promise<void> => rm(path, { force: true });

export const readToken = (path: string): Promise<string> =>
  readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new PloyzError({
      code: "file_unreadable",
      message: `${path}: the token cannot be read (${error.code})`,
      hint: "add the context again: ployzctl context add NAME token://-",
    });
  });
