import { open, rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { VolumeImportRequest } from "@ployz/primitives/client";
import type { Context, Input } from "../../command.ts";
import type { ErrorDocument, VolumeExported } from "../../documents.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needAbsent, whyUnreadable } from "../../files.ts";
import { needLabel } from "../../names.ts";
import { follow, type Outcome, runOperation } from "../../operation/follow.ts";
import { given, needInNamespace } from "../../values.ts";

/** Takes a snapshot, unless one is named, and writes it to a file that appears when it is complete. */
export async function exportVolume(
  context: Context,
  input: Input,
): Promise<VolumeExported | Outcome | ErrorDocument> {
  const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
  const target = input.text("output");
  if (target === undefined) throw usage("--output FILE is missing", `for example -o ${name}.ployz-volume`);
  const path = resolve(context.terminal.cwd, target);
  await needAbsent(path, target);
  const part = `${path}.part`;
  // Before it takes a snapshot.
  const file = await open(part, "w", 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new PloyzError({ code: "file_unwritable", message: `--output: ${error.message}` });
  });
  const left = new AbortController();
  const stopListening = context.terminal.onInterrupt(() => left.abort());
  try {
    const taken = await snapshotOf(context, { namespace, volume: name }, input.text("snapshot"));
    if (typeof taken !== "string") return taken;
    const signal = AbortSignal.any([left.signal, context.signal]);
    const client = await context.client();
    const { about, stream } = await client.exportVolume({ namespace, volume: name, snapshot: taken }, signal);
    let bytes = 0;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        bytes += chunk.length;
        const total = about === undefined ? {} : { total: Math.max(about, bytes) };
        context.progress.event({
          type: "progress",
          step: "export",
          note: `writing ${target}`,
          done: bytes,
          ...total,
        });
        next(null, chunk);
      },
    });
    await pipeline(stream, counted, file.createWriteStream({ flush: true }), { signal });
    await rename(part, path);
    return { kind: "volume-exported", namespace, volume: name, snapshot: taken, file: path, bytes };
  } catch (error) {
    if (left.signal.aborted)
      throw new PloyzError({ code: "aborted", message: "aborted: the file was not written" });
    throw error;
  } finally {
    stopListening();
    await file.close();
    await rm(part, { force: true });
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

/** Sends a file, and follows the operation that imports it. */
export async function importVolume(context: Context, input: Input): Promise<Outcome> {
  const { namespace, name } = await needInNamespace("VOLUME", input.argument("volume"));
  const source = input.argument("file") ?? "";
  const path = resolve(context.terminal.cwd, source);
  const machine = input.text("machine");
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    throw usage(`FILE: ${source}: ${whyUnreadable(error)}`, "name a file that ployzctl volume export wrote");
  });
  if ((await file.stat()).isDirectory()) {
    await file.close();
    throw usage(`FILE: ${source}: is a folder`);
  }
  const preview = input.flag("preview");
  const request: VolumeImportRequest = {
    ...{ namespace, volume: name, mode: preview ? "preview" : "apply", by: context.terminal.by },
    ...given("machine", machine === undefined ? undefined : await needLabel("--machine", machine)),
  };
  const client = await context.client();
  const stream = file.createReadStream();
  try {
    const events = (signal: AbortSignal) => client.importVolume(request, stream, signal);
    return (await follow(context, events, { preview })).outcome;
  } finally {
    stream.destroy();
  }
}
