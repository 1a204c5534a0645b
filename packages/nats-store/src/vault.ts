import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { openFacts } from "./client/facts.ts";
import type { Entry, WriteResult } from "./client/types.ts";
import { secretSubject } from "./intake.ts";
import type { Json } from "./json.ts";
import type { Session } from "./session.ts";

/** A key's value. Without `text` it is unreadable: encrypted with another key, or modified since. */
export type Sealed = { readonly key: string; readonly revision: number; readonly text?: string };

/**
 * Encrypted text in the bucket `secrets`: the store's files alone do not reveal it. For store machines; elsewhere every call fails with
 * `store_forbidden`. Compare-and-set as with facts; the store does not keep earlier values.
 */
export interface Vault {
  /** The text; absent in an entry that this key cannot decrypt. */
  get(key: string): Promise<Sealed | undefined>;
  /** `expected` 0: the key must not exist. A conflict does not reveal the stored value. */
  put(key: string, text: string, expected: number): Promise<Pick<WriteResult, "ok">>;
  /** Removes if the present revision is `expected`. */
  remove(key: string, expected: number): Promise<Pick<WriteResult, "ok">>;
  /** Every entry, decrypted where possible. */
  list(): Promise<readonly Sealed[]>;
}

const nonceBytes = 12;
const tagBytes = 16;

/** 256 random bits, Base64. */
export const newSealKey = (): string => randomBytes(32).toString("base64");

/** AES-256-GCM with a random nonce. The fact key is authenticated with the text, so values cannot be swapped between keys. */
export function openVault(session: Session, sealKey: string): Vault {
  const bucket = openFacts(session, "secrets", (subject) => secretSubject(session, sealKey, subject));
  const secret = Buffer.from(sealKey, "base64");
  const context = (key: string) => Buffer.from(JSON.stringify([session.cluster, key]));

  const seal = (key: string, text: string): string => {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", secret, nonce).setAAD(context(key));
    const sealed = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString("base64");
  };
  const unseal = (key: string, sealed: Json): string | undefined => {
    if (typeof sealed !== "string") return undefined;
    const bytes = Buffer.from(sealed, "base64");
    try {
      const decipher = createDecipheriv("aes-256-gcm", secret, bytes.subarray(0, nonceBytes))
        .setAAD(context(key))
        .setAuthTag(bytes.subarray(-tagBytes));
      const text = decipher.update(bytes.subarray(nonceBytes, -tagBytes));
      return Buffer.concat([text, decipher.final()]).toString("utf8");
    } catch {
      return undefined;
    }
  };
  const opened = ({ key, value, revision }: Entry<Json>): Sealed => {
    const text = unseal(key, value);
    return { key, revision, ...(text !== undefined && { text }) };
  };

  return {
    async get(key) {
      const found = await bucket.get(key);
      return found && opened(found);
    },
    put: (key, text, expected) => bucket.put(key, seal(key, text), expected),
    remove: (key, expected) => bucket.remove(key, expected),
    list: async () => (await bucket.list("")).map(opened),
  };
}
