import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { readFileIfThere, writeFileAtomic } from "@ployz/exec";
import type { Releases } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** Whether this Ed25519 key (PEM) signed a build's list of files. @throws PloyzError `payload_invalid` for another kind of key. */
export function isSigned(sums: Buffer, signature: Buffer | undefined, key: string): boolean {
  const opened = publicKey(key);
  return signature !== undefined && verify(null, sums, opened, signature);
}

/** The release keys of this machine (at `path`) and of others, and the build in `payload`. */
export function openReleases(path: string | undefined, payload: { readonly dir: string }): Releases {
  return {
    async key() {
      const pem = path === undefined ? undefined : await readFileIfThere(path);
      return pem === undefined ? undefined : bodyOf(pem);
    },
    async signedBy(key) {
      const read = (name: string) => readFile(join(payload.dir, name)).catch(() => undefined);
      const [sums, signature] = await Promise.all([read("SHA256SUMS"), read("SHA256SUMS.sig")]);
      if (sums === undefined) return false;
      try {
        return isSigned(sums, signature, pemOf(key));
      } catch {
        return false; // the file of another machine holds no Ed25519 key
      }
    },
  };
}

/** Puts the key of a join document where there is none. */
export async function bringReleaseKey(path: string, key: string): Promise<void> {
  if ((await readFileIfThere(path)) === undefined) await writeFileAtomic(path, pemOf(key), 0o644);
}

/** Takes back a key that a join brought, unless an operator has put another one there since. */
export async function takeReleaseKey(path: string, key: string): Promise<void> {
  if ((await readFileIfThere(path)) === pemOf(key)) await rm(path);
}

const pemOf = (key: string): string => `-----BEGIN PUBLIC KEY-----\n${key}\n-----END PUBLIC KEY-----\n`;
const bodyOf = (pem: string): string =>
  publicKey(pem).export({ type: "spki", format: "der" }).toString("base64");

function publicKey(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // the refusal below says what it has to be
  }
  throw new PloyzError({
    code: "payload_invalid",
    message: "the release key of this machine is not an Ed25519 public key in PEM",
    hint: "docs/operations.md, Updating",
  });
}
