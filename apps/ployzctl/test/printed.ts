import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { COMMANDS } from "../src/commands/index.ts";
import type { Document } from "../src/documents.ts";
import { findCommand } from "../src/find-command.ts";
import { jsonSchema } from "../src/schema.ts";

type Node = { [key: string]: unknown };

/** The schema, with fields that it does not name refused: programs would rely on them. */
function close(node: unknown, part = false): unknown {
  if (Array.isArray(node)) return node.map((one) => close(one, part));
  if (typeof node !== "object" || node === null) return node;
  const { properties, allOf, anyOf, ...rest } = node as Node;
  const closed: Node = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, close(value)]));
  if (properties !== undefined)
    closed.properties = Object.fromEntries(
      Object.entries(properties as Node).map(([name, value]) => [name, close(value)]),
    );
  // The whole of an intersection is closed, not its parts.
  if (allOf !== undefined) closed.allOf = close(allOf, true);
  if (anyOf !== undefined) closed.anyOf = close(anyOf, part);
  const fields = properties !== undefined || allOf !== undefined;
  return fields && !part ? { ...closed, unevaluatedProperties: false } : closed;
}

const validators = new Map<string, ValidateFunction>();

function validatorOf(name: string): ValidateFunction {
  const known =
    validators.get(name) ??
    new Ajv2020({ strict: false, allErrors: true }).compile(
      close(JSON.parse(jsonSchema([name]))) as Record<string, unknown>,
    );
  validators.set(name, known);
  return known;
}

function check(name: string, value: unknown, argv: readonly string[]): void {
  const validate = validatorOf(name);
  if (validate(value)) return;
  const errors = (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
  throw new Error(
    `ployzctl ${argv.join(" ")} printed what its schema ${name} does not have:\n${[...new Set(errors)].join("\n")}\n${JSON.stringify(value)}`,
  );
}

/** A document, in whatever way it is printed, is one that the command lists, and fits the schema of its kind. */
export function checkDocument(argv: readonly string[], document: Document): void {
  if (document.kind !== "error" && !kindsOf(argv).includes(document.kind))
    throw new Error(`ployzctl ${argv.join(" ")} printed a ${document.kind}, which the command does not list`);
  // Of followed streams, the printed lines.
  if (!["logs", "events", "usage"].includes(document.kind))
    check(document.kind, JSON.parse(JSON.stringify(document)), argv);
}

/** Printed lines of NDJSON, and what no command returns. */
export function checkLines(argv: readonly string[], out: string, err: string): void {
  if (!argv.includes("--json")) return;
  if (argv.includes("logs")) for (const line of parsed(out)) check(line.kind ?? "log-event", line, argv);
  if (argv.includes("events"))
    for (const line of parsed(out)) check(line.kind ?? "cluster-event", line, argv);
  if (argv.includes("top")) for (const line of parsed(out)) check("usage", line, argv);
  if (argv.includes("--version")) for (const line of parsed(out)) check("version", line, argv);
  if (argv.includes("--events")) for (const line of parsed(err)) check("event", line, argv);
}

const parsed = (text: string): readonly { readonly kind?: string }[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { readonly kind?: string });

function kindsOf(argv: readonly string[]): readonly string[] {
  const found = findCommand(COMMANDS, argv);
  return found.kind === "command" ? found.command.prints : [];
}
