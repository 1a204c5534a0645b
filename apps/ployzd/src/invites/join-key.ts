import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { createFileOnce, readFileIfThere } from "@ployz/exec";
import { selfSigned } from "./certificate.ts";

/** The certificate of a machine's join port. The key is created for this membership, and deleted with its identity. */
export interface JoinKey {
  readonly key: string;
  readonly cert: string;
  readonly pin: string;
}

/** Reads the key, or creates it. */
export async function ensureJoinKey(path: string): Promise<JoinKey> {
  const key = (await readFileIfThere(path)) ?? (await createFileOnce(path, makeKey()));
  const object = createPrivateKey(key);
  const der = selfSigned(object).toString("base64");
  const cert = `-----BEGIN CERTIFICATE-----\n${der.replaceAll(/.{64}/g, "$&\n").trimEnd()}\n-----END CERTIFICATE-----\n`;
  return { key, cert, pin: pinOf(createPublicKey(object)) };
}

const makeKey = (): string =>
  generateKeyPairSync("ec", { namedCurve: "P-256" })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();

/** SHA-256 of the SubjectPublicKeyInfo, base64url (as RFC 7469 pins keys). */
export const pinOf = (key: KeyObject): string =>
  createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("base64url");
