import { lstat, mkdtemp, opendir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, posix, resolve } from "node:path";
import { PassThrough, Transform, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type RunningProgram, spawnStream } from "@ployz/exec";
import type { OpenStream } from "@ployz/primitives/client";
import type { Context, Input } from "../../command.ts";
import type { CopyDocument } from "../../documents.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { whyUnreadable } from "../../files.ts";
import { sayWhich } from "./exec.ts";
import { needInstance } from "./target.ts";

/** Without the owners and set-uid bits of the other side; tar itself, GNU's and BSD's, keeps every name and link inside the folder. */
const SAFELY = ["--no-same-owner", "--no-same-permissions"];
/** Bytes of the other program's errors that are kept, to explain a failure. */
const MOST_SAID = 4096;
/** Into the folder $1, or as the new name $1 of what the archive has as $2. */
const RECEIVE = `
if [ -d "$1" ]; then exec tar -xof - -C "$1"; fi
t=$(mktemp -d "$(dirname "$1")/.ployz-cp.XXXXXX") || exit 1
tar -xof - -C "$t" && mv "$t/$2" "$1"; c=$?
rm -rf "$t"; exit $c`;

export async function copy(context: Context, input: Input): Promise<CopyDocument> {
  const [from, to] = [input.argument("from") ?? "", input.argument("to") ?? ""];
  const [source, target] = [remote(from), remote(to)];
  if ((source === undefined) === (target === undefined))
    throw usage("one of FROM and TO must be INSTANCE:PATH", "for example prod/web.1:/app/dump.sql");
  const side = source ?? target ?? { name: "", path: "" };
  const instance = await needInstance(source === undefined ? "TO" : "FROM", side.name);
  const hidden = input.flag("no-record");
  const { terminal } = context;
  const run = async (argv: readonly string[], as: string): Promise<OpenStream> => {
    const ask = {
      kind: "exec" as const,
      ...instance,
      argv,
      as: as.replaceAll(/\p{Cc}/gu, "?").slice(0, 1000),
      by: terminal.by,
      ...(hidden && { private: true }),
    };
    const stream = await (await context.client()).open(ask, context.signal);
    sayWhich(context, instance, stream);
    return stream;
  };
  const done =
    source === undefined
      ? await send(context, resolve(terminal.cwd, from), { run, path: side.path })
      : await receive(context, resolve(terminal.cwd, to), { run, path: side.path });
  return { kind: "copied", from, to, ...done };
}

interface Far {
  readonly path: string;
  /** `as`: what the operation log shows. */
  run(argv: readonly string[], as: string): Promise<OpenStream>;
}
type Copied = Pick<CopyDocument, "instance" | "bytes">;

/** `INSTANCE:PATH`, as `scp` tells it from a local path: there is no slash and no dot in front. */
function remote(text: string): { readonly name: string; readonly path: string } | undefined {
  const [, name, path] = /^([a-z][^:]*\/[^:]+):(.+)$/s.exec(text) ?? [];
  return name === undefined || path === undefined ? undefined : { name, path };
}

async function receive(context: Context, local: string, far: Far): Promise<Copied> {
  const name = posix.basename(far.path);
  if (["", ".", ".."].includes(name))
    throw usage(
      `FROM: ${JSON.stringify(far.path.slice(0, 80))} ends without the name of a file or folder`,
      "for example prod/web.1:/app/data",
    );
  const into = await stat(local).catch(() => undefined);
  const target = into?.isDirectory() ? join(local, name) : local;
  const present = await lstat(target).catch(() => undefined);
  if (present?.isDirectory())
    throw new PloyzError({
      code: "file_exists",
      message: `${target} exists, and is a folder`,
      hint: "remove it, or name another",
    });
  const scratch = await mkdtemp(join(dirname(target), ".ployz-cp.")).catch((error: NodeJS.ErrnoException) => {
    throw new PloyzError({
      code: "file_unwritable",
      message: `TO: ${dirname(target)}: ${error.code === "ENOENT" ? "no such folder" : whyUnreadable(error)}`,
      hint: "name a folder that exists",
    });
  });
  let tar: RunningProgram | undefined;
  try {
    const stream = await far.run(
      ["tar", "-cf", "-", "-C", posix.dirname(far.path), "--", name],
      `cp from ${far.path}`,
    );
    stream.input.end();
    tar = spawnStream("tar", ["-xf", "-", "-C", scratch, ...SAFELY]);
    tar.stdout.resume();
    const counted = counter(context);
    counted.stream.pipe(tar.stdin);
    tar.stdin.on("error", () => {}); // tar does not read the padding after the archive's end
    tar.stdin.once("close", () => counted.stream.resume());
    await finish(stream, counted.stream, "read", far.path);
    await tar.done;
    const bytes = await sizeOf(join(scratch, name)).catch(() => {
      throw new PloyzError({
        code: "copy_failed",
        message: `${far.path} could not be read: the archive of the instance's tar has no ${name}`,
      });
    });
    await rename(join(scratch, name), target);
    return { instance: stream.opened.instance, bytes };
  } finally {
    tar?.kill("SIGKILL");
    await tar?.done.catch(() => {}); // nothing writes there any more
    await rm(scratch, { recursive: true, force: true });
  }
}

async function send(context: Context, local: string, far: Far): Promise<Copied> {
  await lstat(local).catch((error: NodeJS.ErrnoException) => {
    throw usage(`FROM: ${local}: ${whyUnreadable(error)}`);
  });
  const name = basename(local);
  const bytes = await sizeOf(local).catch((error: NodeJS.ErrnoException) => {
    throw usage(`FROM: ${error.path ?? local}: ${whyUnreadable(error)}`);
  });
  const stream = await far.run(["sh", "-c", RECEIVE, "sh", far.path, name], `cp to ${far.path}`);
  const tar = spawnStream("tar", ["-cf", "-", "-C", dirname(local), "--", name]);
  tar.stdin.end();
  const counted = counter(context);
  stream.input.on("error", () => {}); // the end of the stream reports it
  const sent = pipeline(tar.stdout, counted.stream, stream.input).then(() => tar.done);
  sent.catch(() => {});
  await finish(stream, new PassThrough().resume(), "written", far.path);
  await sent;
  return { instance: stream.opened.instance, bytes };
}

/** Until the program in the instance ends. @throws PloyzError `copy_failed` which quotes the program. */
async function finish(stream: OpenStream, output: Writable, how: string, path: string): Promise<void> {
  let said = Buffer.alloc(0);
  const errors = new PassThrough().on("data", (chunk: Buffer) => {
    if (said.length < MOST_SAID) said = Buffer.concat([said, chunk]);
  });
  const code = await stream.pump({ output, errors, onEnd: () => output.end() });
  output.end();
  if (code === 0) return;
  // tar says the reason first, and last only that there was one.
  const why = said.toString("utf8").trim().split("\n")[0]?.slice(0, 300) ?? "";
  throw new PloyzError({
    code: "copy_failed",
    message: `${path} could not be ${how}${why === "" ? ` (exit code ${code})` : `: ${why}`}`,
    ...(code === 127 && { hint: "the instance has no tar: use a volume, or an image with tar" }),
  });
}

/** The contents of a file, or of all files in a folder. */
async function sizeOf(path: string): Promise<number> {
  const found = await lstat(path);
  if (!found.isDirectory()) return found.isFile() ? found.size : 0;
  let bytes = 0;
  for await (const entry of await opendir(path)) bytes += await sizeOf(join(path, entry.name));
  return bytes;
}

function counter(context: Context) {
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      bytes += chunk.length;
      context.progress.event({ type: "progress", step: "copy", note: "copying", done: bytes });
      next(null, chunk);
    },
  });
  return { stream };
}
