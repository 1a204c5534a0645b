import { nkeys } from "nats";

/** A machine's NATS identity. `seed` is the private key and never leaves the machine; `publicKey` goes into the server's users. */
export interface Identity {
  readonly seed: string;
  readonly publicKey: string;
}

export function createIdentity(): Identity {
  const pair = nkeys.createUser();
  return { seed: new TextDecoder().decode(pair.getSeed()), publicKey: pair.getPublicKey() };
}

/** The public key that belongs to a seed. */
export function publicKeyOf(seed: string): string {
  return nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey();
}
