/* The readings of a path. `render-routing.ts` has HAProxy apply the same rules. */

/** A path with none of these reads the same everywhere. */
export const ODD: readonly string[] = ["/.", "//", "%", ";", "\\", "\xc0", "\xc1"];

/** A dot segment, NUL, or an overlong UTF-8 form of either, in any reading. */
export const AMBIGUOUS = String.raw`(^|[/\\])[.][.]?([/\\;]|$)|\x00|[\xc0\xc1][\x80-\xbf]`;
export const MALFORMED = "%([^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)";

export const isOdd = (path: string): boolean => ODD.some((part) => path.includes(part));

/**
 * The path with all that some server takes for another spelling resolved: decoded twice, `\` as `/`, without `;` parameters and empty
 * segments. All characters but unreserved ones (RFC 3986, 2.3) are encoded again. `undefined` when the gateway answers 400.
 */
export function plainPath(path: string): string | undefined {
  let bytes = Buffer.from(path).toString("latin1");
  if (new RegExp(MALFORMED).test(bytes)) return undefined;
  const ambiguous = new RegExp(AMBIGUOUS);
  for (let times = 0; times < 2; times++) {
    if (ambiguous.test(bytes)) return undefined;
    if (!new RegExp(MALFORMED).test(bytes)) bytes = decoded(bytes);
  }
  if (ambiguous.test(bytes)) return undefined;
  const plain = bytes
    .replaceAll("\\", "/")
    .replace(/;[^/]*/g, "")
    .replace(/\/\/+/g, "/");
  return plain.replace(/[^A-Za-z0-9._~/-]/g, (byte) => `%${hex(byte)}`);
}

const decoded = (text: string): string =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));

const hex = (byte: string): string => byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
