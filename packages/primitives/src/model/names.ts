import type { ErrorBody } from "@ployz/errors";

/**
 * Names of namespaces, services, jobs, volumes and machines: one DNS label (RFC 1123) that starts with a letter. They become
 * host names, file names, interface comments and command arguments, so nothing else may pass the edge.
 */
export const LABEL = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** A DNS host name of at most 253 characters, lower case. */
export const HOSTNAME =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
/** POSIX environment variable name, at most 256 characters. */
export const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/;

// `$` also matches before a final newline in some engines but never in JavaScript without the m flag; no extra check is needed.
export function isLabel(value: unknown): value is string {
  return typeof value === "string" && LABEL.test(value);
}

export function isHostname(value: unknown): value is string {
  return typeof value === "string" && HOSTNAME.test(value);
}

export function isEnvName(value: unknown): value is string {
  return typeof value === "string" && ENV_NAME.test(value);
}

/** How an untrusted value is shown in a message: quoted, escaped, cut. */
export function shown(value: unknown): string {
  const text = JSON.stringify(typeof value === "string" ? value.slice(0, 60) : value) ?? "nothing";
  const cut = typeof value === "string" && value.length > 60;
  return `${text.slice(0, 80)}${cut ? `… (${value.length} characters)` : ""}`;
}

/** `invalid_input` naming the field, or undefined when `value` is a good name. */
export function checkLabel(field: string, value: unknown): ErrorBody | undefined {
  if (isLabel(value)) return undefined;
  return {
    code: "invalid_input",
    message: `${field}: ${shown(value)} is not a valid name`,
    hint: "use 1 to 63 lower-case letters, digits and dashes, starting with a letter and not ending with a dash",
    details: { field },
  };
}
