import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { PloyzError } from "../../error-codes.ts";

/** Whether this Ed25519 key (PEM) signed a build's list of files. @throws PloyzError `payload_invalid` for another kind of key. */
export function isSigned(sums: Buffer, signature: Buffer | undefined, key: string): boolean {
  const opened = publicKey(key);
  return signature !== undefined && verify(null, sums, opened, signature);
}

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
