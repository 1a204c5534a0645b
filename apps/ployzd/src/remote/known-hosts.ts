import { createHash, createHmac } from "node:crypto";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";

/** `SHA256:…` as ssh-keygen(1) shows it. */
export const fingerprint = (key: Buffer): string =>
  `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;

const keyType = (key: Buffer): string => key.subarray(4, 4 + key.readUInt32BE(0)).toString("ascii");
const hostName = (host: string, port: number): string => (port === 22 ? host : `[${host}]:${port}`);

/** `host`: a host's own key. An authority signs the certificates of hosts. */
type Marker = "host" | "revoked" | "cert-authority";

/**
 * The keys of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) for a host, as base64: lines of one marker, names that are hashed or
 * patterns.
 */
export function keysFor(
  file: string,
  host: string,
  port: number,
  marker: Marker = "host",
): readonly string[] {
  const name = hostName(host, port);
  return file.split("\n").flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const marked = words[0]?.startsWith("@") ? words.shift()?.slice(1) : "host";
    const [names = "", , key] = words;
    if (key === undefined || names.startsWith("#") || marked !== marker) return [];
    return isListed(names.split(","), name) ? [key] : [];
  });
}

/** A negated pattern that matches leaves the host out, whatever else the line lists. */
function isListed(entries: readonly string[], name: string): boolean {
  const negated = entries.filter((entry) => entry.startsWith("!"));
  if (negated.some((entry) => matches(entry.slice(1), name))) return false;
  return entries.some((entry) => !entry.startsWith("!") && matches(entry, name));
}

/** `*` is any text and `?` one character: ssh_config(5), PATTERNS. */
function matches(entry: string, name: string): boolean {
  if (!entry.startsWith("|1|")) {
    const pattern = entry
      .toLowerCase()
      .replaceAll(/[^*?]/g, (letter) => letter.replace(/[^\w-]/, "\\$&"))
      .replaceAll(/\*+/g, ".*")
      .replaceAll("?", ".");
    return new RegExp(`^${pattern}$`).test(name.toLowerCase());
  }
  const [, , salt = "", hash] = entry.split("|");
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}

/** `certified`: only the keys of authorities are known, so that a certificate decides. */
export type HostKeyVerdict = "known" | "unknown" | "certified" | "changed" | "revoked";

export async function checkHostKey(
  paths: readonly string[],
  host: string,
  port: number,
  key: Buffer,
): Promise<HostKeyVerdict> {
  const texts = await Promise.all(paths.map((path) => readFile(path, "utf8").catch(() => "")));
  const listed = (marker: Marker) => texts.flatMap((text) => keysFor(text, host, port, marker));
  const known = listed("host");
  const mine = key.toString("base64");
  if (listed("revoked").includes(mine)) return "revoked";
  if (known.includes(mine)) return "known";
  // Another type of key of the same host proves nothing; the same type with another value does.
  const sameType = known.some((other) => keyType(Buffer.from(other, "base64")) === keyType(key));
  if (sameType) return "changed";
  return known.length === 0 && listed("cert-authority").length > 0 ? "certified" : "unknown";
}

/** The keys of the authorities for a host, and the revoked ones: in base64. */
export async function authoritiesOf(paths: readonly string[], host: string, port: number) {
  const texts = await Promise.all(paths.map((path) => readFile(path, "utf8").catch(() => "")));
  const listed = (marker: Marker) => texts.flatMap((text) => keysFor(text, host, port, marker));
  return { authorities: listed("cert-authority"), revoked: listed("revoked") };
}

export async function rememberHostKey(path: string, host: string, port: number, key: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await appendFile(path, `${hostName(host, port)} ${keyType(key)} ${key.toString("base64")}\n`, {
    mode: 0o600,
  });
}
