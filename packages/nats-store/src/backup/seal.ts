import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from "node:crypto";
import { invalid, wrongKey } from "./format.ts";

/** Encryption of a body: a key from a passphrase (scrypt, RFC 7914), AES-256-GCM over numbered chunks. */
export interface Seal {
  readonly kdf: "scrypt";
  readonly N: number;
  readonly r: number;
  readonly p: number;
  /** Base64. */
  readonly salt: string;
  /** Distinguishes a wrong passphrase from damage. Base64. */
  readonly check: string;
}

export interface Key {
  readonly seal: Seal;
  readonly secret: Buffer;
}

const chunkBytes = 64 * 1024;
const tagBytes = 16;

export async function createKey(passphrase: string): Promise<Key> {
  const costs = { N: 2 ** 15, r: 8, p: 1 };
  const salt = randomBytes(16);
  const { secret, check } = await derive(passphrase, salt, costs);
  const seal = { kdf: "scrypt" as const, ...costs, salt: salt.toString("base64"), check };
  return { seal, secret };
}

/** @throws PloyzError `backup_wrong_key`. */
export async function openKey(seal: Seal, passphrase: string): Promise<Key> {
  if (seal.kdf !== "scrypt" || seal.N > 2 ** 20 || seal.r > 32 || seal.p > 16)
    throw invalid("this version does not know its encryption");
  const { secret, check } = await derive(passphrase, Buffer.from(seal.salt, "base64"), seal);
  const [want, have] = [seal.check, check].map((text) => Buffer.from(text, "base64")) as [Buffer, Buffer];
  if (want.length !== have.length || !timingSafeEqual(want, have)) throw wrongKey("the passphrase is wrong");
  return { seal, secret };
}

async function derive(passphrase: string, salt: Buffer, { N, r, p }: Pick<Seal, "N" | "r" | "p">) {
  const secret = await new Promise<Buffer>((resolve, reject) =>
    scrypt(passphrase.normalize("NFC"), salt, 32, { N, r, p, maxmem: 256 * N * r }, (error, key) =>
      error ? reject(error) : resolve(key),
    ),
  );
  const check = createHmac("sha256", secret).update("ployz backup").digest("base64");
  return { secret, check };
}

/** The salt makes each key unique, so a counter suffices as nonce. Its first byte marks the last chunk, which reveals truncation. */
const nonceOf = (n: number, last: boolean) => {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt8(last ? 1 : 0);
  nonce.writeUIntBE(n, 6, 6);
  return nonce;
};

export async function* encrypt(key: Key, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  let n = 0;
  for await (const { chunk, last } of inChunks(bytes, chunkBytes)) {
    const cipher = createCipheriv("aes-256-gcm", key.secret, nonceOf(n, last));
    yield Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
    n += 1;
  }
}

export async function* decrypt(key: Key, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  let n = 0;
  for await (const { chunk, last } of inChunks(bytes, chunkBytes + tagBytes)) {
    if (chunk.length < tagBytes) throw invalid("it is truncated");
    const decipher = createDecipheriv("aes-256-gcm", key.secret, nonceOf(n, last));
    decipher.setAuthTag(chunk.subarray(chunk.length - tagBytes));
    try {
      yield Buffer.concat([decipher.update(chunk.subarray(0, -tagBytes)), decipher.final()]);
    } catch (cause) {
      throw invalid("its encrypted part was modified", cause);
    }
    n += 1;
  }
}

/** Chunks of equal size, the last one shorter or empty. */
async function* inChunks(bytes: AsyncIterable<Uint8Array>, size: number) {
  let kept = Buffer.alloc(0);
  for await (const more of bytes) {
    kept = Buffer.concat([kept, more]);
    while (kept.length > size) {
      yield { chunk: kept.subarray(0, size), last: false };
      kept = kept.subarray(size);
    }
  }
  yield { chunk: kept, last: true };
}
