import { createHash, createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";

/** `SHA256:…` as ssh-keygen(1) shows it. */
export const fingerprint = (key: Buffer): string =>
  `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;

/** Whether one of the known_hosts files (sshd(8)) lists exactly this key for the host. Supports hashed names, not patterns. */
export async function isKnownHost(
  files: readonly string[],
  host: string,
  port: number,
  key: Buffer,
): Promise<boolean> {
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
  const name = port === 22 ? host : `[${host}]:${port}`;
  return texts
    .flatMap((text) => text.split("\n"))
    .some((line) => {
      const [names = "", , listed] = line.trim().split(/\s+/);
      if (listed !== key.toString("base64") || /^[#@]/.test(line)) return false;
      return names.split(",").some((entry) => matches(entry, name));
    });
}

function matches(entry: string, name: string): boolean {
  if (!entry.startsWith("|1|")) return entry === name;
  const [, , salt = "", hash] = entry.split("|");
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}
