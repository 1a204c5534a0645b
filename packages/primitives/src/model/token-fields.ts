/** A credential in one line: a prefix, and its fields as JSON in base64url. */
export const encodeFields = (prefix: string, fields: readonly unknown[]): string =>
  `${prefix}${Buffer.from(JSON.stringify(fields)).toString("base64url")}`;

/**
 * The fields of a line that `encodeFields` made, which white space may surround. `undefined` for every other text: a decoder of base64url
 * alone passes over foreign characters, and over spare ones at the end.
 */
export function decodeFields(text: string, prefix: string, longest: number): readonly unknown[] | undefined {
  const line = text.trim();
  if (!line.startsWith(prefix) || line.length > longest) return undefined;
  try {
    const json = Buffer.from(line.slice(prefix.length), "base64url").toString("utf8");
    const fields: unknown = JSON.parse(json);
    return Array.isArray(fields) && encodeFields(prefix, fields) === line ? fields : undefined;
  } catch {
    return undefined;
  }
}
