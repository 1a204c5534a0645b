import { createHash, createHmac } from "node:crypto";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";

/** `SHA256:…` as ssh-keygen(1) shows it. */
export const fingerprint = (key: Buffer): string =>
  `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;

const keyType = (key: Buffer): string => key.subarray(4, 4 + key.readUInt32BE(0)).toString("ascii");
const hostName = (host: string, port: number): string => (port === 22 ? host : `[${host}]:${port}`);

/** The keys that a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) lists for a host, as base64. Supports hashed names, but not patterns. */
export function keysFor(file: string, host: string, port: number): readonly string[] {
  const name = hostName(host, port);
  return file.split("\n").flatMap((line) => {
    const [names = "", , key] = line.trim().split(/\s+/);
    if (key === undefined || line.startsWith("#") || line.startsWith("@")) return [];
    return names.split(",").some((entry) => matches(entry, name)) ? [key] : [];
  });
}

function matches(entry: string, name: string): boolean {
  if (!entry.startsWith("|1|")) return entry === name;
  const [, , salt = "", hash] = entry.split("|");
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}

export type HostKeyVerdict = "known" | "unknown" | "changed";

export async function checkHostKey(
  paths: readonly string[],
  host: string,
  port: number,
  key: Buffer,
): Promise<HostKeyVerdict> {
  const texts = await Promise.all(paths.map((path) => readFile(path, "utf8").catch(() => "")));
  const known = texts.flatMap((text) => keysFor(text, host, port));
  const mine = key.toString("base64");
  if (known.includes(mine)) return "known";
  // Another type of key of the same host proves nothing; the same type with another value does.
  const sameType = known.some((other) => keyType(Buffer.from(other, "base64")) === keyType(key));
  return sameType ? "changed" : "unknown";
}

export async function rememberHostKey(path: string, host: string, port: number, key: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await appendFile(path, `${hostName(host, port)} ${keyType(key)} ${key.toString("base64")}\n`, {
    mode: 0o600,
  });
}
