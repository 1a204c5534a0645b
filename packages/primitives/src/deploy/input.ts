import type { Refusal } from "../engine/types.ts";
import { invalid } from "../manifest/field.ts";
import { bundlePaths, checkManifest } from "../manifest/parse.ts";
import { DIGEST } from "../manifest/patterns.ts";
import type { Manifest } from "../manifest/schema.ts";
import { shown } from "../model/names.ts";

export type DeployInput = {
  /** As `parseManifest` returns it; `namespace` overridden already. */
  readonly manifest: Manifest;
  /** `sha256:…` of the tar that the client uploaded, by the service or job with a `bundle`. */
  readonly bundles: Readonly<Record<string, string>>;
  /** `always`: ask the registry what a tag means now. Default `missing`: an image that a machine has will do. */
  readonly pull?: "missing" | "always";
};

type Parsed =
  | { readonly ok: true; readonly input: DeployInput }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

const KNOWN: ReadonlySet<string> = new Set(["manifest", "namespace", "bundles", "pull"]);

/** `{ manifest, bundles?, namespace?, pull? }`. Parsing its own result again gives the same. */
export function parseDeploy(input: unknown): Parsed {
  if (!isRecord(input)) return refused([invalid([], "the input is an object with a `manifest`")]);
  const { manifest, namespace, bundles = {}, pull } = input;
  const refusals = Object.keys(input)
    .filter((key) => !KNOWN.has(key))
    .map((key) => invalid([key], "unknown field"));
  if (pull !== undefined && pull !== "missing" && pull !== "always")
    refusals.push(invalid(["pull"], `must be "missing" or "always", not ${shown(pull)}`));
  if (!isRecord(bundles)) return refused([...refusals, invalid(["bundles"], "must be a table of digests")]);
  const overridden = namespace !== undefined && isRecord(manifest) ? { ...manifest, namespace } : manifest;
  const checked = checkManifest(overridden);
  if (!checked.ok) return refused([...refusals, ...checked.refusals]);
  const needed = Object.keys(bundlePaths(checked.manifest));
  for (const name of needed) {
    const digest = Object.hasOwn(bundles, name) ? bundles[name] : undefined;
    if (typeof digest !== "string" || !new RegExp(DIGEST).test(digest))
      refusals.push(invalid(["bundles", name], `must be the sha256 digest of ${shown(name)}'s bundle`));
  }
  if (refusals.length > 0) return refused(refusals);
  return {
    ok: true,
    input: {
      manifest: checked.manifest,
      bundles: Object.fromEntries(needed.map((name) => [name, String(bundles[name])])),
      ...(pull === "always" && { pull }),
    },
  };
}

function refused(refusals: readonly Refusal[]): Parsed {
  return { ok: false, refusals };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
