import { resolve } from "node:path";
import { Transform } from "node:stream";
import { PloyzError as WireError } from "@ployz/errors";
import { bundlePaths, type Manifest } from "@ployz/primitives";
import { DIGEST } from "@ployz/primitives/protocol";
import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { loadManifest, type ManifestFiles } from "../../manifest/load.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import { type Outcome, refused } from "../../operation/follow.ts";
import { bytes } from "../../output/page.ts";
import { given } from "../../values.ts";
import { openBundle } from "./bundle.ts";

export const deploy = async (context: Context, input: Input): Promise<Outcome> => {
  const namespace = input.text("namespace");
  const canary = input.text("canary");
  return deployFile(context, {
    preview: input.flag("preview"),
    files: input.list("file"),
    settings: input.list("set"),
    envFiles: input.list("env-file"),
    yes: input.flag("yes"),
    build: !input.flag("no-build"),
    ...(namespace !== undefined && { namespace: await needLabel("--namespace", namespace) }),
    ...(input.text("pull") === "always" && { pull: "always" as const }),
    ...(canary !== undefined && { canary: shareOf(canary) }),
  });
};

/** `10%` or `10`. */
function shareOf(text: string): number {
  const [, share = ""] = /^([1-9]\d?)%?$/.exec(text) ?? [];
  if (share === "")
    throw usage(
      `--canary: ${JSON.stringify(text.slice(0, 60))} is not a share from 1% to 99%`,
      "for example --canary 10%",
    );
  return Number(share);
}

export async function deployFile(
  context: Context,
  options: ManifestFiles & {
    readonly preview: boolean;
    readonly yes: boolean;
    /** Default true. */
    readonly build?: boolean;
    readonly pull?: "always" | "committed";
    /** Percent. */
    readonly canary?: number;
  },
): Promise<Outcome> {
  const loaded = await loadManifest(context, options);
  if (!loaded.ok) return refused(loaded.refusals);
  const { manifest, folder, file, named } = loaded;
  const other = `${file} names the namespace ${named}; it is deployed into ${manifest.namespace}`;
  if (named !== manifest.namespace) context.progress.note(`warning: ${other}`);
  return deployManifest(context, {
    ...{ ...options, manifest, folder },
    ...given("about", named === manifest.namespace ? undefined : other),
  });
}

export async function deployManifest(
  context: Context,
  options: {
    readonly manifest: Manifest;
    /** Bundle paths are relative to it. */
    readonly folder: string;
    readonly preview: boolean;
    /** Remove what the manifest leaves out. */
    readonly yes: boolean;
    /** False: take the last builds. */
    readonly build?: boolean;
    /** To be known before the answer. */
    readonly about?: string;
    readonly pull?: "always" | "committed";
    /** Percent. */
    readonly canary?: number;
  },
): Promise<Outcome> {
  const { folder, preview, pull, yes, about, canary, build = true } = options;
  const { withBuilds } = await import("./builds.ts");
  const manifest = await withBuilds(context, options.manifest, { folder, build });
  const bundles = await shipBundles(context, manifest, folder);
  const input = { manifest, bundles, ...given("pull", pull), ...given("canary", canary) };
  if (preview || yes) return change(context, { primitive: "deploy", input }, preview);
  const outcome = await change(
    context,
    { primitive: "deploy", input: { ...input, removals: "refuse" } },
    false,
  );
  const removal = onlyRemoval(outcome);
  if (removal === undefined) return outcome;
  const answer = await context.confirm(
    [...(about === undefined ? [] : [about]), removal.message, "Remove them?"].join("\n"),
  );
  if (answer === undefined) return outcome;
  if (!answer) throw new PloyzError({ code: "aborted", message: "not confirmed: nothing was changed" });
  return change(context, { primitive: "deploy", input }, false);
}

/** The refusal that an operator can lift, where there is no other. */
function onlyRemoval(outcome: Outcome) {
  const refusals = outcome.kind === "error" ? (outcome.refusals ?? []) : [];
  return refusals.length === 1 ? refusals.find(({ code }) => code === "would_remove") : undefined;
}

/** A rendered manifest has digests in place of paths: those bundles are in the cluster already. */
const RENDERED = new RegExp(DIGEST);

/** The digest of each service's bundle. Uploads bundles that the daemon lacks, also for a preview: they are content addressed. */
async function shipBundles(
  context: Context,
  manifest: Manifest,
  folder: string,
): Promise<Readonly<Record<string, string>>> {
  const all = Object.entries(bundlePaths(manifest));
  const known = all.filter(([, path]) => RENDERED.test(path));
  const paths = all.filter(([, path]) => !RENDERED.test(path));
  const digests = new Map<string, string>();
  for (const [name, path] of paths) {
    const full = resolve(folder, path);
    const digest = digests.get(full) ?? (await ship(context, full, { name, path }));
    digests.set(full, digest);
  }
  const shipped = paths.map(([name, path]) => [name, digests.get(resolve(folder, path)) ?? ""] as const);
  return Object.fromEntries([...known, ...shipped]);
}

/** Uploads from this size on are announced. */
const LARGE_BYTES = 8 * 1024 * 1024;

/** Uploads it unless the daemon has it. Resolves with its digest. */
async function ship(
  context: Context,
  full: string,
  { name, path }: { readonly name: string; readonly path: string },
): Promise<string> {
  await using bundle = await openBundle(full).catch((error: unknown) => rename(error, name, path));
  const { digest, files, bytes: size } = bundle;
  const client = await context.client();
  const { present } = await client.request("GET /v1/bundles/:digest", {
    params: { digest },
    signal: context.signal,
  });
  if (present) return digest;
  if (size < LARGE_BYTES) {
    await client.uploadBundle(digest, bundle.read(), context.signal);
    return digest;
  }
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
  return digest;
}

function rename(error: unknown, name: string, path: string): never {
  if (!(error instanceof PloyzError)) throw error;
  throw new WireError({
    code: error.code,
    message: `bundle of ${name} (${path}): ${error.message}`,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
