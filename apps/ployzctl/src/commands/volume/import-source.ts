import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import type { Context } from "../../command.ts";
import { usage } from "../../errors.ts";
import { whyUnreadable } from "../../files.ts";
import { descriptionOf } from "./verify.ts";

/** Files of more than this cannot be one upload: the daemon's limit. */
const MAX_FILES = 100;
const HINT = "name a file that ployzctl volume export wrote";

/** What an import sends: one file or stdin as it is; several after a line with the descriptions of all, which the daemon needs before the first. */
export async function importSource({ terminal }: Context, files: readonly string[]): Promise<Readable> {
  const [first = ""] = files;
  if (files.length > MAX_FILES)
    throw usage(`FILE: at most ${MAX_FILES} files`, "export the whole volume again");
  if (files.includes("-")) {
    if (files.length > 1)
      throw usage("FILE: - cannot stand beside other files", "name files, or send one to stdin");
    if (terminal.stdinTty)
      throw usage("FILE: stdin is a terminal", "give it a file that volume export wrote");
    return terminal.stdin;
  }
  const opened: FileHandle[] = [];
  try {
    for (const file of files) opened.push(await openFile(terminal.cwd, file));
    const [only, ...others] = opened;
    if (only === undefined) throw usage(`FILE: ${first}`, HINT);
    if (others.length === 0) return only.createReadStream();
    const descriptions = [];
    for (const [at, handle] of opened.entries())
      descriptions.push(await descriptionOf(handle, files[at] ?? ""));
    return Readable.from(sent(descriptions, opened), { objectMode: false });
  } catch (error) {
    await Promise.all(opened.map((handle) => handle.close()));
    throw error;
  }
}

async function* sent(descriptions: readonly string[], files: readonly FileHandle[]): AsyncGenerator<Buffer> {
  try {
    yield Buffer.from(`ployz-volumes 1\n[${descriptions.join(",")}]\n`);
    for (const file of files) yield* file.createReadStream({ start: 0, autoClose: false });
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

async function openFile(cwd: string, name: string): Promise<FileHandle> {
  const file = await open(resolve(cwd, name), "r").catch((error: NodeJS.ErrnoException) => {
    throw usage(`FILE: ${name}: ${whyUnreadable(error)}`, HINT);
  });
  if (!(await file.stat()).isDirectory()) return file;
  await file.close();
  throw usage(`FILE: ${name}: is a folder`);
}
