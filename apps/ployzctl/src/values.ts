import { PloyzError } from "./error-codes.ts";
import { needLabel } from "./names.ts";

const wrong = (field: string, value: string, what: string, hint: string): PloyzError =>
  new PloyzError({
    code: "invalid_input",
    message: `${field}: ${JSON.stringify(value.slice(0, 60))} ${what}`,
    hint,
    details: { field },
  });

/** `20G` in bytes. @throws PloyzError `invalid_input`, naming the field. */
export async function needSize(field: string, value: string): Promise<number> {
  const { sizeBytes } = await import("@ployz/primitives/protocol");
  const bytes = sizeBytes(value);
  if (bytes === undefined || bytes < 1 || !Number.isSafeInteger(bytes))
    throw wrong(field, value, "is not a size", "write a whole number and K, M, G or T, for example 20G");
  return bytes;
}

/** `500ms` in milliseconds. @throws PloyzError `invalid_input`, naming the field. */
export async function needDuration(field: string, value: string): Promise<number> {
  const { durationMs } = await import("@ployz/primitives/protocol");
  const ms = durationMs(value);
  if (ms === undefined || ms < 1 || ms > 86_400_000)
    throw wrong(field, value, "is not a duration of at most one day", "for example 500ms, 30s or 5m");
  return ms;
}

/**
 * A list of `left=right` as a table; nothing when the list is empty. `left` replaces the check of names.
 * @throws PloyzError `invalid_input`, naming the field.
 */
export async function needPairs<const T extends string>(
  field: string,
  list: readonly string[],
  check: {
    readonly left?: (value: string) => Promise<unknown>;
    readonly right?: readonly T[];
    readonly example: string;
  },
): Promise<Record<string, T> | undefined> {
  const pairs = new Map<string, T>();
  for (const item of list) {
    const at = item.indexOf("=");
    const [left, right] = [item.slice(0, at), item.slice(at + 1)];
    if (at < 1) throw wrong(field, item, "is not left=right", `for example ${field} ${check.example}`);
    await (check.left ?? ((name) => needLabel(field, name)))(left);
    if (check.right !== undefined && !check.right.some((choice) => choice === right))
      throw wrong(
        field,
        item,
        `must be one of ${check.right.map((one) => `${left}=${one}`).join(", ")}`,
        `for example ${field} ${check.example}`,
      );
    if (pairs.has(left)) throw wrong(field, item, "names the same key twice", "name it once");
    pairs.set(left, right as T);
  }
  return pairs.size === 0 ? undefined : Object.fromEntries(pairs);
}

/** How many of something to list. @throws PloyzError `invalid_input`, naming the field. */
export function needLimit(field: string, value: number | undefined, fallback: number): number {
  const limit = value ?? fallback;
  if (limit >= 1 && limit <= 10_000) return limit;
  throw wrong(field, String(limit), "is not a number from 1 to 10000", `for example ${field} ${fallback}`);
}

/** `NS/NAME`, both present. @throws PloyzError `invalid_input`, naming the field. */
export async function needInNamespace(
  field: string,
  value: string | undefined,
): Promise<{ readonly namespace: string; readonly name: string }> {
  const [namespace, name, ...more] = (value ?? "").split("/");
  if (name === undefined || more.length > 0)
    throw wrong(field, value ?? "", "is not NAMESPACE/NAME", "for example prod/pgdata");
  return { namespace: await needLabel(field, namespace), name: await needLabel(field, name) };
}

/** A commit of a namespace: a revision, or an operation's id or its beginning. */
export function needCommit(field: string, value: string): string {
  if (/^([0-9]{1,15}|[0-9A-Za-z]{6,26})$/.test(value)) return value;
  throw wrong(
    field,
    value,
    "is not a commit",
    "give a revision or at least six characters of an operation's id: ployzctl history NAMESPACE",
  );
}

/** `{ [key]: value }`, or `{}` for an undefined value. */
export const given = <K extends string, T>(key: K, value: T | undefined): { readonly [k in K]?: T } =>
  value === undefined ? {} : ({ [key]: value } as { readonly [k in K]: T });
