import { resolve } from "node:path";
import { PloyzError as WireError } from "@ployz/errors";
import type { Manifest } from "@ployz/primitives";
import type { Context } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { given } from "../../values.ts";
import type { BuildSpec } from "../build/argv.ts";

type Kind = "services" | "jobs";

/**
 * The manifest with an image by its digest in place of each `build`. All are checked before the first is built; two with the same folder, file, arguments and
 * target are one build. Without `build` the images of the last builds are taken. @throws PloyzError `image_missing`, `builder_missing`, `build_failed`
 */
export async function withBuilds(
  context: Context,
  manifest: Manifest,
  { folder, build }: { readonly folder: string; readonly build: boolean },
): Promise<Manifest> {
  const all = (["services", "jobs"] as const).flatMap((kind) =>
    Object.entries(manifest[kind] ?? {}).flatMap(([name, spec]) =>
      spec.build === undefined
        ? []
        : [{ kind, name, spec: specOf(spec.build, { folder, name: `${manifest.namespace}/${name}:build` }) }],
    ),
  );
  if (all.length === 0) return manifest;
  const digests = build ? await buildAll(context, all) : await lastBuilds(context, all);
  const replaced = (kind: Kind) =>
    Object.fromEntries(
      Object.entries(manifest[kind] ?? {}).map(([name, spec]) => {
        const { build: _built, ...rest } = spec;
        const digest = digests.get(`${kind}.${name}`);
        return [
          name,
          digest === undefined ? spec : { ...rest, image: `${manifest.namespace}/${name}@${digest}` },
        ];
      }),
    );
  return {
    ...manifest,
    ...(manifest.services !== undefined && { services: replaced("services") }),
    ...(manifest.jobs !== undefined && { jobs: replaced("jobs") }),
  } as Manifest;
}

interface Wanted {
  readonly kind: Kind;
  readonly name: string;
  readonly spec: BuildSpec;
}

function specOf(
  value: NonNullable<NonNullable<Manifest["services"]>[string]["build"]>,
  { folder, name }: { readonly folder: string; readonly name: string },
): BuildSpec {
  const { context, dockerfile, args, target } = typeof value === "string" ? { context: value } : value;
  const built = resolve(folder, context);
  return {
    ...{ context: built, name },
    ...given("dockerfile", dockerfile === undefined ? undefined : resolve(built, dockerfile)),
    ...given("args", args),
    ...given("target", target),
  };
}

async function buildAll(context: Context, all: readonly Wanted[]): Promise<ReadonlyMap<string, string>> {
  const { built, checkSpec } = await import("../build/build.ts");
  const { findBuilder } = await import("../build/builder.ts");
  const { pushBuilt } = await import("../image/push.ts");
  for (const { kind, name, spec } of all) await checkSpec(spec, `${kind}.${name}.build`);
  const builder = await findBuilder(context.signal);
  const done = new Map<string, string>();
  const digests = new Map<string, string>();
  for (const { kind, name, spec } of all) {
    const { name: _name, ...what } = spec;
    const key = JSON.stringify(what);
    const before = done.get(key);
    if (before === undefined)
      await built(context, builder, spec).catch((error: unknown) => named(error, name));
    const digest = before ?? (await pushBuilt(context, builder, spec.name)).digest;
    done.set(key, digest);
    digests.set(`${kind}.${name}`, digest);
  }
  return digests;
}

async function lastBuilds(context: Context, all: readonly Wanted[]): Promise<ReadonlyMap<string, string>> {
  const { images } = await (await context.client()).request("GET /v1/images", {
    query: {},
    signal: context.signal,
  });
  return new Map(
    all.map(({ kind, name, spec }) => {
      const found = images.find(({ names }) => names.includes(spec.name));
      if (found !== undefined) return [`${kind}.${name}`, found.digest];
      throw new PloyzError({
        code: "image_missing",
        message: `${kind}.${name}.build: no machine has a build of it (${spec.name})`,
        hint: "deploy without --no-build once",
      });
    }),
  );
}

function named(error: unknown, name: string): never {
  if (!(error instanceof PloyzError)) throw error;
  const { code, message, hint, details } = error;
  throw new WireError({
    ...{ code, message: `build of ${name}: ${message}` },
    ...(hint !== undefined && { hint }),
    ...(details !== undefined && { details }),
  });
}
