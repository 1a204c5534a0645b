import { nkeys } from "nats";

/** A machine's NATS identity. `seed` is the private key and never leaves the machine; `publicKey` goes into the server's users. */
export interface Identity {
  readonly seed: string;
  readonly publicKey: string;
}

/** A new identity, from the system's randomness. */
export function createIdentity(): Identity {
  const pair = nkeys.createUser();
  return { seed: new TextDecoder().decode(pair.getSeed()), publicKey: pair.getPublicKey() };
}

/** The public key that belongs to a seed. */
export function publicKeyOf(seed: string): string {
  return nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey();
}

/** A signature (base64) that only the holder of the seed can make. */
export function signAs(seed: string, text: string): string {
  const pair = nkeys.fromSeed(new TextEncoder().encode(seed));
  return Buffer.from(pair.sign(new TextEncoder().encode(text))).toString("base64");
}

/** Whether the holder of the key signed the text. False for anything malformed. */
export function isSignedBy(publicKey: string, text: string, signature: string): boolean {
  try {
    const pair = nkeys.fromPublic(publicKey);
    return pair.verify(new TextEncoder().encode(text), Buffer.from(signature, "base64"));
  } catch {
    return false; // no key, or no signature
  }
}
