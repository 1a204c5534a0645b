import { resolve } from "node:path";
import { Transform } from "node:stream";
import { PloyzError as WireError } from "@ployz/errors";
import { bundlePaths, type Manifest } from "@ployz/primitives";
import { DIGEST } from "@ployz/primitives/protocol";
import type { Context } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { bytes } from "../../output/page.ts";
import { type Bundle, openBundle } from "./bundle.ts";

/** The bundles of a manifest, as they were read once. */
export interface Bundles extends AsyncDisposable {
  /** By service or job. */
  readonly digests: Readonly<Record<string, string>>;
  /** The upload takes long enough to be announced. */
  readonly isLarge: boolean;
  /** Uploads those that the daemon lacks, also for a preview: they are content addressed. */
  upload(): Promise<void>;
}

interface Named {
  readonly name: string;
  readonly path: string;
  readonly bundle: Bundle;
}

/** A rendered manifest has digests in place of paths: those bundles are in the cluster already. */
const RENDERED = new RegExp(DIGEST);

/** Uploads from this size on are announced. */
const LARGE_BYTES = 8 * 1024 * 1024;

export async function openBundles(context: Context, manifest: Manifest, folder: string): Promise<Bundles> {
  const all = Object.entries(bundlePaths(manifest));
  const opened = new Map<string, Named>();
  const close = async (): Promise<void> => {
    await Promise.all([...opened.values()].map(({ bundle }) => bundle[Symbol.asyncDispose]()));
  };
  try {
    for (const [name, path] of all) {
      const full = resolve(folder, path);
      if (RENDERED.test(path) || opened.has(full)) continue;
      const bundle = await openBundle(full).catch((error: unknown) => rename(error, name, path));
      opened.set(full, { name, path, bundle });
    }
    const missing = await missingOf(context, [...opened.values()]);
    return {
      digests: Object.fromEntries(
        all.map(([name, path]) => [name, opened.get(resolve(folder, path))?.bundle.digest ?? path]),
      ),
      isLarge: missing.some(({ bundle }) => bundle.bytes >= LARGE_BYTES),
      async upload() {
        for (const one of missing) await upload(context, one);
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Those that the daemon lacks, each content once. */
async function missingOf(context: Context, named: readonly Named[]): Promise<readonly Named[]> {
  const byDigest = new Map(named.map((one) => [one.bundle.digest, one]));
  const missing: Named[] = [];
  for (const [digest, one] of byDigest) {
    const client = await context.client();
    const { present } = await client.request("GET /v1/bundles/:digest", {
      params: { digest },
      signal: context.signal,
    });
    if (!present) missing.push(one);
  }
  return missing;
}

async function upload(context: Context, { name, path, bundle }: Named): Promise<void> {
  const { digest, files, bytes: size } = bundle;
  const client = await context.client();
  if (size < LARGE_BYTES) return client.uploadBundle(digest, bundle.read(), context.signal);
  const count = files === undefined ? "" : `${files} files, `;
  context.progress.note(`bundle of ${name} (${path}): ${count}${bytes(size)}`);
  let done = 0;
  const counted = bundle.read().pipe(
    new Transform({
      transform(chunk: Buffer, _encoding, next) {
        done += chunk.length;
        context.progress.event({
          ...{ type: "progress", step: `upload ${name}`, note: `uploading the bundle of ${name}` },
          ...{ done, total: size },
        });
        next(null, chunk);
      },
    }),
  );
  await client.uploadBundle(digest, counted, context.signal);
}

function rename(error: unknown, name: string, path: string): never {
  if (!(error instanceof PloyzError)) throw error;
  throw new WireError({
    code: error.code,
    message: `bundle of ${name} (${path}): ${error.message}`,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
