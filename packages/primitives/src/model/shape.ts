import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import type { Static, TSchema } from "typebox";
import type { Refusal } from "../error-codes.ts";
import { PloyzError } from "../error-codes.ts";
import { didYouMean } from "./did-you-mean.ts";
import { invalid, type Segment } from "./field.ts";
import type { Json } from "./json.ts";
import { shown } from "./names.ts";
import * as patterns from "./patterns.ts";

/** The type of what a schema admits. Nothing writes to a checked document. */
export type Shape<T extends TSchema> = ReadonlyDeep<Static<T>>;

type ReadonlyDeep<T> = Json extends T
  ? T
  : T extends readonly (infer Item)[]
    ? readonly ReadonlyDeep<Item>[]
    : T extends object
      ? { readonly [K in keyof T]: ReadonlyDeep<T[K]> }
      : T;

/** The schemas are the program's own: to check them too, by the schema of schemas, takes longer than all the rest. */
const OPTIONS = {
  allErrors: true,
  verbose: true,
  strict: true,
  allowUnionTypes: true,
  validateSchema: false,
} as const;

/** Compiled when first needed. */
const validators = new WeakMap<object, ValidateFunction>();

function validatorOf(schema: object): ValidateFunction {
  const known = validators.get(schema) ?? new Ajv2020(OPTIONS).compile(schema);
  validators.set(schema, known);
  return known;
}

/** Checks documents against a schema: shape only, all errors at once, each naming its field. */
export function shapeChecker(schema: object): (document: unknown) => readonly Refusal[] {
  return (document) => {
    const validate = validatorOf(schema);
    if (validate(document)) return [];
    const errors = validate.errors ?? [];
    // Why each of several shapes does not fit says less than which shapes there are.
    const unions = errors.filter(({ keyword }) => keyword === "anyOf").map(({ schemaPath }) => schemaPath);
    const refusals = errors
      .filter(({ schemaPath }) => !unions.some((union) => schemaPath.startsWith(`${union}/`)))
      .flatMap((error) => explain(error, document) ?? []);
    return [...new Map(refusals.map((refusal) => [refusal.message, refusal])).values()];
  };
}

/** The same, for immediate use. @throws PloyzError `invalid_input`, naming every field that is wrong. */
export function shaped<T extends TSchema>(schema: T): (document: unknown) => Shape<T> {
  const check = shapeChecker(schema);
  return (document) => {
    const [first, ...rest] = check(document);
    if (first === undefined) return document as Shape<T>;
    throw new PloyzError({ ...first, message: [first, ...rest].map(({ message }) => message).join("; ") });
  };
}

function explain(error: ErrorObject, document: unknown): Refusal | undefined {
  const at = segments(error.instancePath, document);
  const schema = error.parentSchema ?? {};
  const { limit } = error.params;
  const not = schema.writeOnly === true ? "" : `, not ${shown(error.data)}`;
  const refuse = (message: string, hint: string | undefined = schema.description) =>
    invalid(at, message, hint);
  switch (error.keyword) {
    case "additionalProperties": {
      const key = String(error.params.additionalProperty);
      const known = Object.keys(schema.properties ?? {});
      const near = didYouMean(key, known);
      return invalid(
        [...at, key],
        "unknown field",
        near === undefined ? `known fields here: ${known.join(", ")}` : `did you mean \`${near}\`?`,
      );
    }
    case "required": {
      const key = String(error.params.missingProperty);
      return invalid([...at, key], "is required", schema.properties?.[key]?.description);
    }
    case "propertyNames":
      return undefined; // the pattern error that caused it says more
    case "pattern": {
      const { propertyName } = error;
      if (propertyName !== undefined)
        return invalid([...at, propertyName], `${shown(propertyName)} is not a valid name`, allowed(error));
      return refuse(
        `${schema.writeOnly === true ? "" : `${shown(error.data)} `}is not valid`,
        allowed(error),
      );
    }
    case "type":
      return wrongType(at, error, not);
    case "const":
      return refuse(`must be ${shown(error.params.allowedValue)}${not}`);
    case "enum": {
      const choices = (error.params.allowedValues as readonly unknown[]).map(shown);
      return refuse(`must be ${choices.join(" or ")}${not}`);
    }
    case "minimum":
      return refuse(`must be at least ${limit}${not}`);
    case "maximum":
      return refuse(`must be at most ${limit}${not}`);
    case "minLength":
      return refuse(limit === 1 ? "must not be empty" : `is shorter than ${limit} characters`);
    case "maxLength":
      return refuse(`is longer than ${limit} characters`);
    case "minItems":
      return refuse(limit === 1 ? "must not be empty" : `has fewer than ${limit} entries`);
    case "maxItems":
      return refuse(`has more than ${limit} entries`);
    case "minProperties":
      return refuse(limit === 1 ? "must not be empty" : `has fewer than ${limit} entries`);
    case "maxProperties":
      return refuse(`has more than ${limit} entries`);
    case "uniqueItems":
      return refuse(`names one twice${not}`);
    default:
      return refuse(`is not valid${not}`);
  }
}

/** Parts of arrays print as `[0]`; a service may be called `0`. */
function segments(pointer: string, document: unknown): Segment[] {
  const parts = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  let at = document;
  return parts.map((part) => {
    const inArray = Array.isArray(at);
    at = typeof at === "object" && at !== null ? Reflect.get(at, part) : undefined;
    return inArray ? Number(part) : part;
  });
}

function wrongType(
  at: readonly Segment[],
  { data, params, parentSchema }: ErrorObject,
  not: string,
): Refusal {
  const wanted = String(params.type);
  if (at.at(-2) === "env" && wanted === "string,object") {
    const hint =
      typeof data === "number" || typeof data === "boolean"
        ? `write "${String(data)}"`
        : 'a secret is given by its name: { secret = "db-url" }';
    return invalid(at, `must be a string${not}`, hint);
  }
  const kind = wanted === "object" && at.length > 0 ? "table" : wanted;
  const article = /^[aeiou]/.test(kind) ? "an" : "a";
  const what = at.length === 0 ? "the input " : "";
  return invalid(at, `${what}must be ${article} ${kind}${not}`, parentSchema?.description);
}

function allowed({ params, parentSchema }: ErrorObject): string {
  const { pattern } = params;
  return patterns.ALLOWED[pattern] ?? parentSchema?.description ?? `must match ${pattern}`;
}
