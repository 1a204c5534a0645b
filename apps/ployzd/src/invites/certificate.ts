import { createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";

/**
 * A self-signed X.509 certificate around a P-256 key, in DER (RFC 5280; X.690). TLS needs one to carry the key; peers check only the key,
 * so it has no extensions and never expires. Node creates keys and signatures but no certificates.
 */
export function selfSigned(key: KeyObject): Buffer {
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))), // version 3
    integer(randomBytes(16)),
    ECDSA_WITH_SHA256,
    NAME,
    sequence(tagged(0x17, Buffer.from("200101000000Z")), tagged(0x18, Buffer.from("99991231235959Z"))), // RFC 5280, 4.1.2.5: no end
    NAME,
    createPublicKey(key).export({ type: "spki", format: "der" }),
  );
  const signature = sign("sha256", body, key);
  return sequence(body, ECDSA_WITH_SHA256, tagged(0x03, Buffer.concat([Buffer.from([0]), signature])));
}

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, ...parts);

/** Positive, and so with a first bit of 0. */
function integer(bytes: Buffer): Buffer {
  const positive = Buffer.from(bytes);
  positive.writeUInt8((positive[0] ?? 0) & 0x7f || 1, 0);
  return tagged(0x02, positive);
}

/** 1.2.840.10045.4.3.2 (RFC 5758). */
const ECDSA_WITH_SHA256 = sequence(tagged(0x06, Buffer.from("2a8648ce3d040302", "hex")));
/** CN=ployz: 2.5.4.3 (RFC 4519). */
const NAME = sequence(
  tagged(0x31, sequence(tagged(0x06, Buffer.from("550403", "hex")), tagged(0x0c, Buffer.from("ployz")))),
);
