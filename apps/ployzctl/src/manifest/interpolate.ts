export type Variables = Readonly<Record<string, string>>;

/** What begins with a dollar sign: an escaped one, or a variable with what stands there instead of its value. */
interface Reference {
  readonly end: number;
  readonly name?: string;
  readonly operator?: string;
  readonly rest?: string;
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const INNER = /^(?:(:?[-?+])(.*))?$/s;
/** Defaults in one another. */
const DEEPEST = 20;

/**
 * The text with its variables' values: `$$`, `$NAME`, `${NAME}`, and `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}`, `${NAME+other}`,
 * `${NAME:?message}`, `${NAME?message}`, as Compose has them; a default may have variables. `missing` is called for one that has neither a value nor
 * a default, and for any other text after `${`.
 */
export function interpolate(
  text: string,
  variables: Variables,
  missing: (name: string, message: string | undefined) => never,
  depth = 0,
): string {
  let found = "";
  let at = 0;
  for (let dollar = text.indexOf("$"); dollar >= 0; dollar = text.indexOf("$", at)) {
    found += text.slice(at, dollar);
    const reference = referenceAt(text, dollar);
    if (reference === "malformed" || depth > DEEPEST)
      return missing(JSON.stringify(text.slice(dollar, dollar + 40)), "is not ${NAME}");
    at = reference?.end ?? dollar + 1;
    found +=
      reference?.name === undefined
        ? "$"
        : textOf(reference, reference.name, { variables, missing, depth: depth + 1 });
  }
  return found + text.slice(at);
}

function textOf(
  { operator = "", rest = "" }: Reference,
  name: string,
  {
    variables,
    missing,
    depth,
  }: {
    readonly variables: Variables;
    readonly missing: Parameters<typeof interpolate>[2];
    readonly depth: number;
  },
): string {
  const given = Object.hasOwn(variables, name) ? variables[name] : undefined;
  const value = given === "" && operator.startsWith(":") ? undefined : given;
  const other = () => interpolate(rest, variables, missing, depth);
  if (operator.endsWith("+")) return value === undefined ? "" : other();
  if (value !== undefined) return value;
  if (operator.endsWith("-")) return other();
  return missing(name, operator.endsWith("?") && rest !== "" ? rest : undefined);
}

/** Undefined: a dollar sign that begins nothing. */
function referenceAt(text: string, dollar: number): Reference | "malformed" | undefined {
  const next = text[dollar + 1];
  if (next === "$") return { end: dollar + 2 };
  const from = next === "{" ? dollar + 2 : dollar + 1;
  NAME.lastIndex = from;
  const [name] = NAME.exec(text) ?? [];
  if (next !== "{") return name === undefined ? undefined : { end: from + name.length, name };
  const close = closing(text, from);
  if (name === undefined || close < 0) return "malformed";
  const inner = INNER.exec(text.slice(from + name.length, close));
  if (inner === null) return "malformed";
  const [, operator, rest] = inner;
  return { end: close + 1, name, ...(operator !== undefined && { operator, rest: rest ?? "" }) };
}

/** Of the brace that closes the reference; -1: none does. */
function closing(text: string, from: number): number {
  let open = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "}" && --open === 0) return at;
    if (text[at] !== "$") continue;
    if (text[at + 1] === "{") open++;
    if (text[at + 1] === "{" || text[at + 1] === "$") at++;
  }
  return -1;
}

/** Whether the text has a variable in it. */
export function hasVariable(text: string): boolean {
  for (let at = text.indexOf("$"); at >= 0; ) {
    const reference = referenceAt(text, at);
    if (reference === "malformed" || reference?.name !== undefined) return true;
    at = text.indexOf("$", reference?.end ?? at + 1);
  }
  return false;
}
