import type { ErrorBody } from "@ployz/errors";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { didYouMean } from "../model/did-you-mean.ts";
import { shown } from "../model/names.ts";
import { invalid, type Segment } from "./field.ts";
import * as patterns from "./patterns.ts";
import { ManifestSchema } from "./schema.ts";

/** The schemas are the program's own: to check them too, by the schema of schemas, takes longer than all the rest. */
const OPTIONS = {
  allErrors: true,
  verbose: true,
  strict: true,
  allowUnionTypes: true,
  validateSchema: false,
} as const;

/** Checks documents against a schema: shape only, all errors at once, each naming its field. Compiled when first needed. */
export function shapeChecker(schema: object): (document: unknown) => readonly ErrorBody[] {
  let compiled: ValidateFunction | undefined;
  return (document) => {
    compiled ??= new Ajv2020(OPTIONS).compile(schema);
    if (compiled(document)) return [];
    const refusals = (compiled.errors ?? []).flatMap((error) => explain(error) ?? []);
    return [...new Map(refusals.map((refusal) => [refusal.message, refusal])).values()];
  };
}

export const validateShape = shapeChecker(ManifestSchema);

function explain(error: ErrorObject): ErrorBody | undefined {
  const at = segments(error.instancePath);
  const value: unknown = error.data;
  switch (error.keyword) {
    case "additionalProperties": {
      const key = String(error.params.additionalProperty);
      const known = Object.keys(error.parentSchema?.properties ?? {});
      const near = didYouMean(key, known);
      return invalid(
        [...at, key],
        "unknown field",
        near === undefined ? `known fields here: ${known.join(", ")}` : `did you mean \`${near}\`?`,
      );
    }
    case "required":
      return invalid([...at, String(error.params.missingProperty)], "is required");
    case "propertyNames":
      return undefined; // the pattern error that caused it says more
    case "pattern":
      if (error.propertyName !== undefined)
        return invalid(
          [...at, error.propertyName],
          `${shown(error.propertyName)} is not a valid name`,
          shapeOf(error),
        );
      return invalid(at, `${shown(value)} is not valid`, shapeOf(error));
    case "type":
      return wrongType(at, value, String(error.params.type));
    case "const":
      return invalid(at, `must be ${shown(error.params.allowedValue)}, not ${shown(value)}`);
    case "enum": {
      const choices = (error.params.allowedValues as readonly unknown[]).map(shown);
      return invalid(at, `must be ${choices.join(" or ")}, not ${shown(value)}`);
    }
    case "maxLength":
      return invalid(at, `is longer than ${error.params.limit} characters`);
    default:
      return invalid(
        at,
        `${error.message ?? "is not valid"} (is ${shown(value)})`,
        "docs/manifest.md says what each field takes",
      );
  }
}

/** Parts of arrays print as `[0]`. Only these are arrays in the schema; a service may be called `0`. */
const ARRAYS: ReadonlySet<string> = new Set(["routes", "command", "after", "machines"]);

function segments(pointer: string): Segment[] {
  const parts = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return parts.map((part, index) => {
    const inArray = index >= 3 && /^[0-9]+$/.test(part) && ARRAYS.has(parts[index - 1] ?? "");
    return inArray ? Number(part) : part;
  });
}

function wrongType(at: readonly Segment[], value: unknown, wanted: string): ErrorBody {
  const owner = at.at(-2);
  if (owner === "env" && wanted === "string,object") {
    const hint =
      typeof value === "number" || typeof value === "boolean"
        ? `write "${String(value)}"`
        : 'a secret is given by its name: { secret = "db-url" }';
    return invalid(at, `must be a string, not ${shown(value)}`, hint);
  }
  const kind = wanted === "object" ? "table" : wanted;
  const article = /^[aeiou]/.test(kind) ? "an" : "a";
  return invalid(at, `must be ${article} ${kind}, not ${shown(value)}`);
}

const SHAPES: Readonly<Record<string, string>> = {
  [patterns.NAME]:
    "1 to 63 lower-case letters, digits and dashes, starting with a letter and not ending with a dash",
  [patterns.PLACE]: "1 to 63 lower-case letters, digits and inner dashes",
  [patterns.HOST]: "a lower-case host name such as www.example.com or *.example.com",
  [patterns.PATH]: "an absolute URL path such as /api, without `..`, query or spaces",
  [patterns.PROBE_PATH]: "an absolute URL path such as /healthz, without `..` or spaces",
  [patterns.MOUNT_PATH]: "an absolute path such as /var/lib/app, without `..` or a trailing slash",
  [patterns.DURATION]: "a whole number and ms, s, m or h, such as 30s",
  [patterns.SIZE]: "a whole number and K, M, G or T, such as 256M",
  [patterns.ENV_NAME]: "letters, digits and underscores, not starting with a digit",
  [patterns.USER]: "user, user:group or numeric ids, such as nobody or 1000:1000",
  [patterns.IMAGE]:
    "an image reference such as registry.example.com/team/app:v2 or app@sha256:…, in lower case",
  [patterns.BUNDLE_PATH]: "a path such as ./api, without control characters or a leading dash",
  [patterns.NO_NUL]: "it must not contain a NUL character",
};

function shapeOf(error: ErrorObject): string {
  return SHAPES[String(error.params.pattern)] ?? `must match ${String(error.params.pattern)}`;
}
