import { createReadStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { VolumeImportRequest } from "@ployz/primitives/client";
import type { Context, Input } from "../../command.ts";
import type { ErrorDocument, VolumeExported } from "../../documents.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needAbsent, openPart } from "../../files.ts";
import { needLabel } from "../../names.ts";
import { follow, type Outcome, runOperation } from "../../operation/follow.ts";
import { given, needInNamespace } from "../../values.ts";
import { importSource } from "./import-source.ts";
import { needSnapshot } from "./snapshot-name.ts";
import { verified } from "./verify.ts";

/** Takes a snapshot, unless one is named, and writes it to stdout, or to a file that appears when it is complete and was read back. */
export async function exportVolume(
  context: Context,
  input: Input,
): Promise<VolumeExported | Outcome | ErrorDocument> {
  const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
  const target = input.text("output") ?? input.argument("file");
  if (target === undefined)
    throw usage("FILE is missing", `for example -o ${name}.ployz-volume, or - for stdout`);
  if (input.text("output") !== undefined && input.argument("file") !== undefined)
    throw usage("FILE and --output name the same thing", "leave one of them out");
  const nameOf = async (option: "snapshot" | "since") => {
    const value = input.text(option);
    return value === undefined ? undefined : await needSnapshot(`--${option}`, value, { namespace, name });
  };
  const snapshot = await nameOf("snapshot");
  const volume = { namespace, volume: name, ...given("since", await nameOf("since")) };
  if (target === "-") return exportTo(context, volume, snapshot, toStdout(context));
  const path = resolve(context.terminal.cwd, target);
  await needAbsent(path, target);
  const part = `${path}.part`;
  // Before it takes a snapshot.
  const file = await openPart(path, target);
  try {
    return await exportTo(context, volume, snapshot, {
      name: target,
      path,
      async write(stream, signal) {
        await pipeline(stream, file.createWriteStream({ flush: true }), { signal });
        for await (const _ of verified(createReadStream(part))) signal.throwIfAborted();
        await rename(part, path);
      },
    });
  } finally {
    await file.close();
    await rm(part, { force: true });
  }
}

interface Target {
  /** As the operator wrote it. */
  readonly name: string;
  readonly path: string;
  write(stream: Readable, signal: AbortSignal): Promise<void>;
}

/** @throws PloyzError `usage` where stdout is not for bytes. */
function toStdout({ terminal, globals }: Context): Target {
  if (globals.json) throw usage("--json and - both write to stdout", "leave one of them out");
  if (terminal.out.tty) throw usage("FILE: stdout is a terminal", "send it to a file or another program");
  return {
    ...{ name: "stdout", path: "-" },
    write: (stream, signal) =>
      pipeline(stream, verified, terminal.raw.stdout, { signal, end: false } as { signal: AbortSignal }),
  };
}

interface Exporting {
  readonly namespace: string;
  readonly volume: string;
  readonly since?: string;
}

async function exportTo(
  context: Context,
  { since, ...volume }: Exporting,
  snapshot: string | undefined,
  target: Target,
): Promise<VolumeExported | Outcome> {
  const left = new AbortController();
  const stopListening = context.terminal.onInterrupt(() => left.abort());
  try {
    const taken = await snapshotOf(context, volume, snapshot);
    if (typeof taken !== "string") return taken;
    const signal = AbortSignal.any([left.signal, context.signal]);
    const client = await context.client();
    const { about, stream } = await client.exportVolume(
      { ...volume, snapshot: taken, ...given("since", since) },
      signal,
    );
    let bytes = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        bytes += chunk.length;
        const total = about === undefined ? {} : { total: Math.max(about, bytes) };
        context.progress.event({
          type: "progress",
          step: "export",
          note: `writing ${target.name}`,
          done: bytes,
          ...total,
        });
        next(null, chunk);
      },
    });
    const failed = pipeline(stream, counted, { signal });
    await Promise.all([failed, target.write(counted, signal)]);
    return {
      kind: "volume-exported",
      ...volume,
      ...{ snapshot: taken, ...given("since", since), file: target.path, bytes },
    };
  } catch (error) {
    if (left.signal.aborted)
      throw new PloyzError({ code: "aborted", message: "aborted: the file was not written" });
    throw error;
  } finally {
    stopListening();
  }
}

async function snapshotOf(
  context: Context,
  volume: { readonly namespace: string; readonly volume: string },
  named: string | undefined,
): Promise<string | Outcome> {
  if (named !== undefined) return named;
  const { outcome, plan } = await runOperation(context, {
    primitive: "volume-snapshot",
    input: volume,
    mode: "apply",
  });
  if (outcome.kind !== "operation" || outcome.state !== "done") return outcome;
  return (plan?.summary as { readonly snapshot: string } | undefined)?.snapshot ?? outcome;
}

/** Sends files or stdin, and follows the operation that imports them. */
export async function importVolume(context: Context, input: Input): Promise<Outcome> {
  const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
  const machine = input.text("machine");
  const preview = input.flag("preview");
  const request: VolumeImportRequest = {
    ...{ namespace, volume: name, mode: preview ? "preview" : "apply", by: context.terminal.by },
    ...given("machine", machine === undefined ? undefined : await needLabel("--machine", machine)),
  };
  const stream = await importSource(context, input.arguments("file"));
  const client = await context.client();
  try {
    const events = (signal: AbortSignal) => client.importVolume(request, stream, signal);
    return (await follow(context, events, { preview })).outcome;
  } finally {
    stream.destroy();
  }
}
