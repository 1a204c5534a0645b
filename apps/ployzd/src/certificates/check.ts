import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { type CertificateMeta, certificateFor } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** Debian's roots, see update-ca-certificates(8). */
const SYSTEM = "/etc/ssl/certs/ca-certificates.crt";
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const HOST = /^(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?$/;
const SHORTEST_RSA = 2048;

export type Checked = { readonly certificate: CertificateMeta; readonly pem: string };

/** PEM of the roots that this machine trusts. */
export async function trustedRoots(): Promise<readonly string[]> {
  const system = await readFile(SYSTEM, "utf8").catch(() => "");
  return [...rootCertificates, ...(system.match(BLOCK) ?? [])];
}

/**
 * A chain with its key, as gateways serve it: the certificate, its intermediates in their order, no root, the key.
 * @throws PloyzError `certificate_invalid`, with the reason.
 */
export function checkCertificate(
  { chain, key }: { readonly chain: string; readonly key: string },
  {
    name,
    roots,
    now,
    ...more
  }: {
    /** Default: the first name of the certificate. */
    readonly name?: string;
    /** Absent: the chain comes from its authority, and is taken as it is. */
    readonly roots?: readonly string[];
    readonly now: Date;
  } & Pick<CertificateMeta, "method" | "directory" | "dns" | "challenge" | "renewalInfo">,
): Checked {
  const given = (chain.match(BLOCK) ?? []).map(parsed);
  const privateKey = keyIn(key);
  const leaf = given.find((one) => one.checkPrivateKey(privateKey));
  if (given.length === 0) throw invalid("the file has no certificate in PEM", "give the chain as PEM");
  if (leaf === undefined)
    throw invalid(
      "the key does not belong to a certificate of the file",
      "give the key of the first certificate",
    );
  const names = [...(leaf.subjectAltName ?? "").matchAll(/DNS:([^,\s]+)/g)]
    .map(([, one = ""]) => one.toLowerCase())
    .filter((one) => HOST.test(one));
  const called = name ?? names[0];
  if (called === undefined)
    throw invalid("the certificate has no host name (subjectAltName)", "get another one");
  if (certificateFor(called, [{ name: "", names, at: "" }]) === undefined)
    throw invalid(
      `the certificate is for ${names.join(", ")}, not for ${called}`,
      "give the one of that name",
    );
  const [notBefore, notAfter] = [new Date(leaf.validFrom), new Date(leaf.validTo)];
  if (notAfter <= now)
    throw invalid(`the certificate expired at ${notAfter.toISOString()}`, "renew it first");
  if (notBefore.getTime() > now.getTime() + CLOCKS_MS)
    throw invalid(
      `the certificate is valid from ${notBefore.toISOString()} only`,
      "check this machine's clock: date",
    );
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = leaf.publicKey;
  if (type === "rsa" && (details?.modulusLength ?? 0) < SHORTEST_RSA)
    throw invalid(
      `the RSA key has ${details?.modulusLength} bits, fewer than ${SHORTEST_RSA}`,
      "get a certificate with a key of 2048 bits, or of P-256",
    );
  const served = chainOf(leaf, given, roots);
  return {
    certificate: {
      ...{ name: called, names, issuer: issuerOf(leaf) },
      fingerprint: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
      ...{ notBefore: notBefore.toISOString(), notAfter: notAfter.toISOString() },
      ...more,
    },
    pem: [...served.map(String), String(privateKey.export({ type: "pkcs8", format: "pem" }))]
      .map((one) => one.trim())
      .join("\n")
      .concat("\n"),
  };
}

/** An authority's clock may be ahead of ours. */
const CLOCKS_MS = 3_600_000;

/** From the leaf up to, and without, the root. Ends at a root of this machine, or at one in the file. */
function chainOf(
  leaf: X509Certificate,
  given: readonly X509Certificate[],
  roots: readonly string[] | undefined,
): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let last = leaf; !chain.includes(last); ) {
    chain.push(last);
    if (isRoot(last)) return chain.length === 1 ? chain : chain.slice(0, -1);
    const next = given.find((one) => one !== last && issued(one, last));
    if (next === undefined) {
      if (roots === undefined || roots.some((root) => mayHaveIssued(root, last))) return chain;
      throw invalid(
        `an intermediate certificate is missing: ${issuerOf(last)}, which issued ${last === leaf ? "the certificate" : subjectOf(last)}, is neither in the file nor a root of this machine`,
        "append the authority's intermediates to the file; for a private authority, its root too",
      );
    }
    last = next;
  }
  return chain;
}

const issued = (issuer: X509Certificate, one: X509Certificate): boolean =>
  one.checkIssued(issuer) && one.verify(issuer.publicKey);
const isRoot = (one: X509Certificate): boolean => issued(one, one);

function mayHaveIssued(root: string, one: X509Certificate): boolean {
  try {
    return issued(new X509Certificate(root), one);
  } catch {
    return false;
  }
}

function parsed(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new PloyzError(
      {
        code: "certificate_invalid",
        message: "a certificate of the file cannot be read",
        hint: "give it as PEM",
      },
      { cause },
    );
  }
}

function keyIn(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new PloyzError(
      {
        code: "certificate_invalid",
        message: /ENCRYPTED/.test(pem) ? "the key is encrypted" : "the key cannot be read",
        hint: "give it as PEM without a passphrase: openssl pkey -in FILE",
      },
      { cause },
    );
  }
}

const commonName = (text: string): string =>
  /^(?:CN|O)=(.+)$/m.exec(text)?.[1] ?? text.replaceAll("\n", ", ");
const issuerOf = (one: X509Certificate): string => printable(commonName(one.issuer));
const subjectOf = (one: X509Certificate): string => printable(commonName(one.subject));
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, "?").slice(0, 200);

const invalid = (message: string, hint: string): PloyzError =>
  new PloyzError({ code: "certificate_invalid", message, hint });
