import { parse as parseToml, TomlError } from "smol-toml";
import type { Refusal } from "../error-codes.ts";
import { invalid } from "../model/field.ts";
import type { Json } from "../model/json.ts";
import { bytesOf, LIMITS } from "../model/limits.ts";
import { shapeChecker } from "../model/shape.ts";
import { checkMeaning } from "./check.ts";
import { withAsciiHosts } from "./hosts.ts";
import { type Manifest, ManifestSchema } from "./schema.ts";

/** The manifest, or every problem in it. */
export type ManifestResult =
  | { readonly ok: true; readonly manifest: Manifest }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

/** Reads a manifest. Pure; every refusal has code `invalid_input` and names its field, or the line and column of a syntax error. */
export function parseManifest(text: string, format: "toml" | "json"): ManifestResult {
  const read = readDocument(text, format);
  return read.ok ? checkManifest(read.document) : read;
}

/** The text as data, not checked yet: `checkManifest` does that. */
export function readDocument(
  text: string,
  format: "toml" | "json",
):
  | { readonly ok: true; readonly document: Json }
  | { readonly ok: false; readonly refusals: readonly Refusal[] } {
  const bytes = bytesOf(text);
  if (bytes > LIMITS.manifest)
    return refused(`the manifest has ${bytes} bytes; at most ${LIMITS.manifest} are read`);
  try {
    // The round trip makes plain JSON of TOML's dates and non-finite numbers, which no field takes.
    const json = format === "toml" ? JSON.stringify(parseToml(text)) : text;
    return { ok: true, document: withAsciiHosts(JSON.parse(json) as Json) };
  } catch (error) {
    return syntaxError(error, text, format);
  }
}

const validateShape = shapeChecker(ManifestSchema);

/** Checks a document that is data already: shape first, and meaning when the shape is right. */
export function checkManifest(document: unknown): ManifestResult {
  if (typeof document !== "object" || document === null || Array.isArray(document))
    return refused("a manifest is a table with `namespace` and `services`");
  const shape = validateShape(document);
  if (shape.length > 0) return { ok: false, refusals: shape };
  const manifest = document as Manifest;
  const refusals = checkMeaning(manifest);
  return refusals.length > 0 ? { ok: false, refusals } : { ok: true, manifest };
}

/** What the client has to ship before a deploy: folders or tars, by the service or job that runs them. */
export function bundlePaths(manifest: Manifest): Readonly<Record<string, string>> {
  const specs = [...Object.entries(manifest.services ?? {}), ...Object.entries(manifest.jobs ?? {})];
  return Object.fromEntries(
    specs.flatMap(([name, { bundle }]) => (bundle === undefined ? [] : [[name, bundle]])),
  );
}

function refused(message: string, hint?: string) {
  return { ok: false as const, refusals: [invalid([], message, hint)] };
}

function syntaxError(error: unknown, text: string, format: "toml" | "json") {
  if (error instanceof TomlError) {
    const reason = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "";
    return refused(`line ${error.line}, column ${error.column}: ${reason}`, "the file is not valid TOML");
  }
  const reason = error instanceof Error ? error.message : String(error);
  const position = /at position (\d+)/.exec(reason)?.[1];
  const offset = position === undefined ? undefined : Number(position);
  const where = offset === undefined ? "" : `${lineAndColumn(text, offset)}: `;
  return refused(`${where}${printable(reason)}`, `the file is not valid ${format.toUpperCase()}`);
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`;
}

/** The engine quotes what it choked on. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "\uFFFD").slice(0, 200);
}
