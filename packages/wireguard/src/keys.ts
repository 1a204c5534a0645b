import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createFileOnce } from "@ployz/exec";
import { PloyzError } from "./error-codes.ts";

/** A WireGuard key: 32 bytes in base64, 44 characters (wg(8)). */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** PKCS#8 header of a raw X25519 private key (RFC 8410, section 7). */
const PKCS8_X25519 = Buffer.from("302e020100300506032b656e04220420", "hex");

/** Whether it is a key as wg(8) writes it: 32 bytes in Base64. */
export function isKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(text) && Buffer.from(text, "base64").toString("base64") === text;
}

/** A new Curve25519 key pair, the private key clamped as `wg genkey` does (RFC 7748, section 5). */
export function generateKeyPair(): KeyPair {
  const { d } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  const raw = Buffer.from(String(d), "base64url");
  raw[0] = (raw[0] ?? 0) & 248;
  raw[31] = ((raw[31] ?? 0) & 127) | 64;
  const privateKey = raw.toString("base64");
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

/** @throws PloyzError `key_invalid` (the message never contains the key). */
export function publicKeyOf(privateKey: string): string {
  if (!isKey(privateKey)) throw invalidKey("the private key");
  const der = Buffer.concat([PKCS8_X25519, Buffer.from(privateKey, "base64")]);
  const { x } = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" })).export({
    format: "jwk",
  });
  return Buffer.from(String(x), "base64url").toString("base64");
}

/**
 * Creates the private key file (0600) if it is missing, and returns the public key. Concurrent callers get the same key.
 * @throws PloyzError `key_invalid`, `key_exposed`.
 */
export async function ensureKeyFile(file: string): Promise<{ publicKey: string; created: boolean }> {
  const existing = await readKeyFile(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  });
  if (existing !== undefined) return { publicKey: publicKeyOf(existing), created: false };
  const { privateKey, publicKey } = generateKeyPair();
  const stands = await createFileOnce(file, `${privateKey}\n`);
  const created = stands.trim() === privateKey;
  return created ? { publicKey, created } : { publicKey: publicKeyOf(await readKeyFile(file)), created };
}

/** @throws PloyzError `key_exposed` when users other than the owner may read the file, `key_invalid`, or ENOENT. */
export async function readKeyFile(file: string): Promise<string> {
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) {
    throw new PloyzError({
      code: "key_exposed",
      message: `other users can read the private key ${file} (mode ${(mode & 0o777).toString(8)})`,
      hint: `if it was not read: chmod 600 ${file}`,
    });
  }
  const key = (await readFile(file, "utf8")).trim();
  if (!isKey(key)) throw invalidKey(`the file ${file}`);
  return key;
}

function invalidKey(what: string): PloyzError {
  return new PloyzError({
    code: "key_invalid",
    message: `${what} is not a WireGuard key (32 bytes in base64)`,
    hint: "restore it from a backup, or remove it to create a new one (the machine must then join again)",
  });
}
