// Signs with an Ed25519 key in PEM.
//
//   node sign.mjs keys KEY          prints the public key: the base64 of its PEM, then as OpenSSH writes it
//   node sign.mjs sign KEY FILE     writes FILE.sig (the raw signature) and FILE.sshsig (PROTOCOL.sshsig of OpenSSH, namespace "ployz-release")

import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const NAMESPACE = "ployz-release";
const [action, keyFile, file] = process.argv.slice(2);

const key = createPrivateKey(readFileSync(keyFile));
if (key.asymmetricKeyType !== "ed25519") throw new Error(`${keyFile} is not an Ed25519 key`);
const publicDer = createPublicKey(key).export({ type: "spki", format: "der" });

/** A string of the SSH protocol (RFC 4251): its length, then its bytes. */
const field = (value) => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
// The last 32 bytes of the DER form are the key itself (RFC 8410).
const sshKey = Buffer.concat([field("ssh-ed25519"), field(publicDer.subarray(-32))]);

if (action === "keys") {
  const body = publicDer.toString("base64");
  process.stdout.write(`${body}\nssh-ed25519 ${sshKey.toString("base64")}\n`);
} else if (action === "sign") {
  const message = readFileSync(file);
  writeFileSync(`${file}.sig`, sign(null, message, key));
  const about = [field(NAMESPACE), field(""), field("sha512")];
  const signed = Buffer.concat([
    Buffer.from("SSHSIG"),
    ...about,
    field(createHash("sha512").update(message).digest()),
  ]);
  const version = Buffer.from([0, 0, 0, 1]);
  const signature = Buffer.concat([field("ssh-ed25519"), field(sign(null, signed, key))]);
  const blob = Buffer.concat([Buffer.from("SSHSIG"), version, field(sshKey), ...about, field(signature)]);
  const lines = blob.toString("base64").match(/.{1,70}/g);
  writeFileSync(
    `${file}.sshsig`,
    ["-----BEGIN SSH SIGNATURE-----", ...lines, "-----END SSH SIGNATURE-----", ""].join("\n"),
  );
} else throw new Error("usage: sign.mjs keys KEY | sign KEY FILE");
