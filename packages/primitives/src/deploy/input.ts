import Type from "typebox";
import { inputParser } from "../change/input.ts";
import { bundlePaths, checkManifest } from "../manifest/parse.ts";
import type { Manifest } from "../manifest/schema.ts";
import { invalid } from "../model/field.ts";
import { label } from "../model/fields.ts";
import { shown } from "../model/names.ts";
import { own } from "../model/own.ts";
import { DIGEST } from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  manifest: Type.Unsafe<Manifest>({ description: "a manifest, as data: see docs/manifest.md" }),
  namespace: Type.Optional(label("Instead of the manifest's.")),
  bundles: Type.Optional(
    Type.Record(Type.String(), Type.String({ pattern: DIGEST, description: "sha256:… of an uploaded tar" }), {
      description: "The digests of uploaded bundles, by service or job.",
    }),
  ),
  pull: Type.Optional(
    Type.Enum(["missing", "always", "committed"], {
      description:
        "`always`: ask the registry for each tag's present digest. Default `missing`: an image that a machine has will do. `committed`: a tag of the last commit keeps its digest.",
    }),
  ),
  canary: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 99,
      description:
        "Percent. Services that would get other instances stay, and new instances beside them get this share of the requests.",
    }),
  ),
  removals: Type.Optional(
    Type.Enum(["allow", "refuse"], {
      description:
        "`refuse`: a manifest that leaves out services or routes of the last commit. Default `allow`.",
    }),
  ),
});

/** As a client sends it. */
export type DeployRequest = Shape<typeof Input>;

/** Input of `deploy`, parsed: the manifest with its namespace, and the digest of each bundle. */
export type DeployInput = {
  /** As `parseManifest` returns it; `namespace` overridden already. */
  readonly manifest: Manifest;
  /** Of each service or job with a `bundle`. */
  readonly bundles: Readonly<Record<string, string>>;
  readonly pull?: "always" | "committed";
  readonly removals?: "refuse";
  /** Percent, 1 to 99. */
  readonly canary?: number;
};

const shape = inputParser(Input);

/** Parsing its own result again gives the same. */
export function parseDeploy(raw: unknown) {
  const parsed = shape(raw);
  if (!parsed.ok) return parsed;
  const { manifest, namespace, bundles, pull, removals, canary } = parsed.input;
  const checked = checkManifest(namespace === undefined ? manifest : { ...manifest, namespace });
  if (!checked.ok) return checked;
  const needed = Object.keys(bundlePaths(checked.manifest)).map(
    (name) => [name, own(bundles, name)] as const,
  );
  const refusals = [
    ...needed.flatMap(([name, digest]) =>
      digest === undefined
        ? [invalid(["bundles", name], `must be the sha256 digest of ${shown(name)}'s bundle`)]
        : [],
    ),
    ...(["services", "jobs"] as const).flatMap((kind) =>
      Object.entries(checked.manifest[kind] ?? {}).flatMap(([name, { build }]) =>
        build === undefined
          ? []
          : [
              invalid(
                ["manifest", kind, name, "build"],
                "a daemon builds nothing",
                "deploy it with ployzctl, which builds it",
              ),
            ],
      ),
    ),
  ];
  if (refusals.length > 0) return { ok: false as const, refusals };
  const input: DeployInput = {
    manifest: checked.manifest,
    bundles: Object.fromEntries(needed.map(([name, digest = ""]) => [name, digest])),
    ...(pull !== undefined && pull !== "missing" && { pull }),
    ...(removals === "refuse" && { removals }),
    ...(canary !== undefined && { canary }),
  };
  return { ok: true as const, input };
}
