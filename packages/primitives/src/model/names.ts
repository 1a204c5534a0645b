import type { Refusal } from "../error-codes.ts";
import { ALLOWED, ENV_NAME, NAME } from "./patterns.ts";

export const LABEL = new RegExp(NAME);
const VARIABLE = new RegExp(ENV_NAME);

/** A name of a namespace, service, job, volume or machine: see `NAME`. */
export function isLabel(value: unknown): value is string {
  return typeof value === "string" && LABEL.test(value);
}

/** A POSIX environment variable's name, at most 256 characters. */
export function isEnvName(value: unknown): value is string {
  return typeof value === "string" && VARIABLE.test(value);
}

/** How an untrusted value is shown in a message: quoted, escaped, cut. */
export function shown(value: unknown): string {
  const text = JSON.stringify(typeof value === "string" ? value.slice(0, 60) : value) ?? "nothing";
  const cut = typeof value === "string" && value.length > 60;
  return `${text.slice(0, 80)}${cut ? `… (${value.length} characters)` : ""}`;
}

/** The name of a volume's snapshot: of an operation, of an operator, or of another program. */
export const SNAPSHOT_NAME = "^[a-z0-9][a-z0-9_.-]{0,99}$";
const SNAPSHOT = new RegExp(SNAPSHOT_NAME);

/** Whether it can be the name of a volume's snapshot: at most 100 of a-z, 0-9, `_`, `.` and `-`, the first one a letter or digit. */
export const isSnapshotName = (value: string): boolean => SNAPSHOT.test(value);

/** `invalid_input` naming the field, or undefined when `value` is a good name. */
export function checkLabel(field: string, value: unknown): Refusal | undefined {
  if (isLabel(value)) return undefined;
  return {
    code: "invalid_input",
    message: `${field}: ${shown(value)} is not a valid name`,
    hint: `use ${ALLOWED[NAME]}`,
    details: { field },
  };
}
