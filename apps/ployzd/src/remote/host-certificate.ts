import { ExecError, run } from "@ployz/exec";
import ssh2 from "ssh2";

/** A host's certificate: PROTOCOL.certkeys of OpenSSH. */
interface HostCertificate {
  /** The key that it certifies, in the form that a host presents. */
  readonly key: Buffer;
  readonly principals: readonly string[];
  /** Seconds since 1970; the second is exclusive. */
  readonly valid: readonly [bigint, bigint];
  readonly critical: Buffer;
  readonly authority: Buffer;
  readonly signed: Buffer;
  readonly signature: { readonly algorithm: string; readonly blob: Buffer };
}

/** How many fields of each type's public key follow the nonce: RFC 4253, 6.6; RFC 5656, 3.1; RFC 8709, 4. */
const FIELDS: Readonly<Record<string, number>> = {
  "ssh-ed25519": 1,
  "ssh-rsa": 2,
  "ecdsa-sha2-nistp256": 2,
  "ecdsa-sha2-nistp384": 2,
  "ecdsa-sha2-nistp521": 2,
};
const HOST = 2;
const HASHES: Readonly<Record<string, string>> = { "rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512" };

/** Throws where the text ends early. */
function reader(from: Buffer) {
  let at = 0;
  const take = (length: number): Buffer => {
    if (at + length > from.length) throw new RangeError("the certificate ends early");
    at += length;
    return from.subarray(at - length, at);
  };
  const string = () => take(take(4).readUInt32BE(0));
  return {
    string,
    text: () => string().toString("utf8"),
    number: () => take(4).readUInt32BE(0),
    long: () => take(8).readBigUInt64BE(0),
    at: () => at,
    more: () => at < from.length,
  };
}

function stringOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function parse(blob: Buffer): HostCertificate | undefined {
  const from = reader(blob);
  const type = from.text().replace(/-cert-v01@openssh\.com$/, "");
  const fields = FIELDS[type];
  if (fields === undefined) return undefined;
  from.string(); // nonce
  const key = Buffer.concat([
    stringOf(Buffer.from(type)),
    ...Array.from({ length: fields }, () => stringOf(from.string())),
  ]);
  from.long(); // serial
  if (from.number() !== HOST) return undefined;
  from.string(); // the authority's name for it
  const names = reader(from.string());
  const principals: string[] = [];
  while (names.more()) principals.push(names.text());
  const valid = [from.long(), from.long()] as const;
  const critical = from.string();
  from.string(); // extensions
  from.string(); // reserved
  const authority = from.string();
  const signed = blob.subarray(0, from.at());
  const signature = reader(from.string());
  return {
    ...{ key, principals, valid, critical, authority, signed },
    signature: { algorithm: signature.text(), blob: signature.string() },
  };
}

/** What a certificate has to be for. */
export interface Certified {
  readonly host: string;
  /** As the host presented it. */
  readonly key: Buffer;
  /** Of the authorities that known_hosts trusts with this host, in base64. */
  readonly authorities: readonly string[];
  readonly revoked: readonly string[];
  readonly nowMs: number;
}

/** Whether an authority vouches for this key of this host now. A certificate without names, or with conditions, vouches for nothing. */
export function certifies(blob: Buffer, { host, key, authorities, revoked, nowMs }: Certified): boolean {
  try {
    const found = parse(blob);
    if (found === undefined || !found.key.equals(key) || found.critical.length > 0) return false;
    const authority = found.authority.toString("base64");
    if (!authorities.includes(authority) || revoked.includes(authority)) return false;
    if (!found.principals.some((name) => name.toLowerCase() === host.toLowerCase())) return false;
    const now = BigInt(Math.floor(nowMs / 1000));
    if (now < found.valid[0] || now >= found.valid[1]) return false;
    const type = reader(found.authority).text();
    const { algorithm, blob: signature } = found.signature;
    // An RSA authority signs with SHA-2; `ssh-rsa` is SHA-1.
    if (type === "ssh-rsa" ? HASHES[algorithm] === undefined : algorithm !== type) return false;
    const parsed = ssh2.utils.parseKey(`${type} ${authority}`);
    if (parsed instanceof Error) return false;
    return parsed.verify(found.signed, plainSignature(type, signature), HASHES[algorithm]) === true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** ssh2 takes ECDSA's two numbers in DER; SSH sends them one after the other: RFC 5656, 3.1.2. */
function plainSignature(type: string, signature: Buffer): Buffer {
  if (!type.startsWith("ecdsa-")) return signature;
  const numbers = reader(signature);
  const integers = [numbers.string(), numbers.string()].map((value) =>
    Buffer.concat([Buffer.from([0x02, value.length]), value]),
  );
  const body = Buffer.concat(integers);
  const head = body.length < 128 ? [0x30, body.length] : [0x30, 0x81, body.length];
  return Buffer.concat([Buffer.from(head), body]);
}

/** From the output of `ssh-keyscan -c`: a line for each certificate, in some versions without the host's name. Pure. */
export const scanned = (text: string): readonly Buffer[] =>
  text.split("\n").flatMap((line) => {
    const blob = /(?:^|\s)\S+-cert-v01@openssh\.com ([A-Za-z0-9+/=]+)/.exec(line)?.[1];
    return blob === undefined ? [] : [Buffer.from(blob, "base64")];
  });

/** The certificates that a host has: ssh-keyscan(1), as ssh2 does not ask for any. None where the program is missing or the host has none. */
export async function certificatesOf(host: string, port: number, signal: AbortSignal) {
  const types = "ed25519,ecdsa,rsa";
  try {
    const argv = ["-c", "-T", "5", "-p", String(port), "-t", types, "--", host];
    const { stdout } = await run("ssh-keyscan", argv, { timeoutMs: 20_000, okExitCodes: [0, 1], signal });
    return scanned(stdout);
  } catch (error) {
    if (error instanceof ExecError && error.code === "exec_not_found") return [];
    throw error;
  }
}
