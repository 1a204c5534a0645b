/** Replaces every occurrence of each secret. Empty strings are ignored. */
export function redact(text: string, secrets: readonly string[] = []): string {
  return secrets.reduce((out, secret) => (secret === "" ? out : out.replaceAll(secret, "[redacted]")), text);
}
