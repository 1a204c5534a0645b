import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Readable, Transform } from "node:stream";
import { run, spawnStream } from "@ployz/exec";
import type { ImagePushed } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import type { ErrorDocument } from "../../documents.ts";
import { usage } from "../../errors.ts";
import { whyUnreadable } from "../../files.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { archiveArgv, type Builder } from "../build/argv.ts";
import { needTargets, targets } from "./distribute.ts";
import { needImageName } from "./name.ts";

/** Sends the image once; then, if asked, the daemon distributes it. */
export async function push(context: Context, input: Input): Promise<ImagePushed | Outcome | ErrorDocument> {
  const [given, archive] = [input.argument("name"), input.text("archive")];
  const name = given === undefined ? undefined : needImageName("NAME", given);
  const machines = await targets(input);
  if (name === undefined && archive === undefined)
    throw usage("NAME or --archive FILE is missing", "ployzctl image push web:v4");
  await needTargets(context, machines);
  const source = archive === undefined ? await saved(name ?? "", context) : await file(archive, context);
  const pushed = await send(context, source, name);
  return machines === undefined ? pushed : distributed(context, pushed, machines);
}

/** Copies a pushed image from the daemon's machine to others. */
export async function distributed(
  context: Context,
  { name, digest }: ImagePushed,
  machines: readonly string[] | "all",
): Promise<Outcome> {
  const input = { ref: name ?? digest, ...(machines !== "all" && { machines: [...machines] }) };
  return change(context, { primitive: "image-distribute", input }, false);
}

/** Sends an image that a builder of this machine has. */
export async function pushBuilt(context: Context, builder: Builder, name: string): Promise<ImagePushed> {
  if (builder !== "buildah") return send(context, await saved(name, context), name);
  const folder = await mkdtemp(join(tmpdir(), "ployz-build-"));
  try {
    const archive = join(folder, "image.tar");
    const [program, ...args] = archiveArgv(name, archive);
    await run(program, args, { timeoutMs: 3_600_000, signal: context.signal });
    return await send(context, await file(archive, context), name);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Source {
  readonly stream: Readable;
  /** Rejects with the reason when the stream is not the whole archive. */
  done(): Promise<unknown>;
  readonly total?: number;
}

async function send(context: Context, source: Source, name: string | undefined): Promise<ImagePushed> {
  let done = 0;
  let over = false;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length;
      if (over) return next();
      const total = source.total === undefined ? {} : { total: source.total };
      context.progress.event({
        type: "progress",
        step: "push",
        note: `sending ${name ?? "the image"}`,
        done,
        ...total,
      });
      next(null, chunk);
    },
  });
  // Before anything is waited for: the output of a program without a reader is thrown away.
  source.stream.on("error", (error) => counted.destroy(error)).pipe(counted);
  const client = await context.client().catch((error: unknown) => {
    counted.destroy();
    throw error;
  });
  // The source knows the reason of a failure; the upload only notices the end.
  const [whole, answer] = await Promise.allSettled([
    source.done().catch((error: unknown) => {
      counted.destroy(error as Error);
      throw error;
    }),
    client.pushImage(name, counted, context.signal).finally(() => {
      over = true;
    }),
  ]);
  if (whole.status === "rejected") throw whole.reason;
  if (answer.status === "rejected") throw answer.reason;
  return answer.value;
}

async function saved(name: string, context: Context): Promise<Source> {
  const running = spawnStream("docker", ["save", name], { signal: context.signal });
  return { stream: running.stdout, done: () => running.done };
}

async function file(path: string, context: Context): Promise<Source> {
  const opened = await open(resolve(context.terminal.cwd, path), "r").catch(
    (error: NodeJS.ErrnoException) => {
      throw usage(`--archive: ${path}: ${whyUnreadable(error)}`, "name a file that docker save wrote");
    },
  );
  const found = await opened.stat();
  if (found.isDirectory()) {
    await opened.close();
    throw usage(`--archive: ${path}: is a folder`, "name a file that docker save wrote");
  }
  const { size } = found;
  return { stream: opened.createReadStream(), done: async () => undefined, total: size };
}
