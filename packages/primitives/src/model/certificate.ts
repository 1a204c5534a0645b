import Type, { type Static } from "typebox";
import { list, object, text } from "./schema.ts";

/** How an authority is shown that a host is ours, without DNS. */
export const Challenge = Type.Enum(["http-01", "tls-alpn-01"]);
/** Static type of the schema of this name. */
export type Challenge = Static<typeof Challenge>;

/** How a certificate was got. */
export const CertificateMethod = Type.Enum(["import", "http-01", "dns-01", "tls-alpn-01"]);

const described = {
  /** The name that commands call it by: its first host name, or `*.example.com`. */
  name: text(),
  /** Host names that it is valid for, lower-case, in ASCII. */
  names: list(text()),
  issuer: text(),
  /** SHA-256, in hex. */
  fingerprint: text(),
  /** RFC 3339. */
  notBefore: text(),
  notAfter: text(),
  method: CertificateMethod,
  /** The operator's choice, which renewals keep; absent: each order takes what fits the machine's listeners. */
  challenge: Type.Optional(Challenge),
  /** Of the certificate authority; absent for an imported one. */
  directory: Type.Optional(text()),
  /** Where the authority tells when to renew it (RFC 9773); absent: it does not. */
  renewalInfo: Type.Optional(text()),
  /** How names are proved by DNS: the provider, and the secret with its credentials. */
  dns: Type.Optional(object({ provider: text(), secret: text() })),
};

/** A certificate without its key. */
export const CertificateMeta = object(described);
/** Static type of the schema of this name. */
export type CertificateMeta = Static<typeof CertificateMeta>;

/** The fact `certificate.<name>`: the certificate that gateways serve. Chain and key are sealed, on store machines only. */
export const CertificateRecord = object({
  ...described,
  /** Where chain and key are: a secret of the namespace `certificates`, which no workload gets. */
  sealed: object({ namespace: text(), name: text(), version: text() }),
  operation: text(),
  at: text(),
  by: text(),
  /** It was removed: nothing is served. */
  removed: Type.Optional(Type.Literal(true)),
});
/** Static type of the schema of this name. */
export type CertificateRecord = Static<typeof CertificateRecord>;

/** The fact `renewal.<name>`: the last try to renew a certificate. */
export const RenewalRecord = object({
  name: text(),
  /** Which certificate was to be replaced: the fingerprint. */
  of: text(),
  at: text(),
  machine: text(),
  /** Absent: it worked. */
  error: Type.Optional(text()),
  /** In succession. */
  failures: Type.Integer({ minimum: 0 }),
  /** RFC 3339. */
  next: text(),
});
export type RenewalRecord = Static<typeof RenewalRecord>;

/** The fact `renewal-window.<name>`: when the authority would like a certificate to be renewed (RFC 9773). */
export const RenewalWindow = object({
  name: text(),
  /** Which certificate: the fingerprint. */
  of: text(),
  /** RFC 3339: the authority's window. Absent: it has told none yet. */
  from: Type.Optional(text()),
  to: Type.Optional(text()),
  /** Why the last look has told nothing. */
  error: Type.Optional(text()),
  at: text(),
  machine: text(),
  /** RFC 3339: when it is asked again. */
  next: text(),
});
/** Static type of the schema of this name. */
export type RenewalWindow = Static<typeof RenewalWindow>;

/** The fact `acme.default`: whom certificates are ordered from. */
export const AcmeRecord = object({
  /** URL of the directory (RFC 8555, 7.1.1). */
  directory: text(),
  email: Type.Optional(text()),
  /** PEM of the roots that the authority's own server is checked with, besides the machine's. */
  root: Type.Optional(text()),
  /** Id of an external account; its key is sealed. */
  eabKid: Type.Optional(text()),
  at: text(),
  by: text(),
});
export type AcmeRecord = Static<typeof AcmeRecord>;

/** The namespace of sealed chains, keys and accounts. Its secrets are passed over by everything that lists secrets. */
export const CERTIFICATES = "certificates";

/** A name as a key of a fact. */
const keyOf = (name: string): string => name.replace("*", "_any");
/** The fact that holds the certificate of a name. */
export const certificateKey = (name: string): `certificate.${string}` => `certificate.${keyOf(name)}`;
/** The fact that holds the last renewal of a name. */
export const renewalKey = (name: string): `renewal.${string}` => `renewal.${keyOf(name)}`;

/** The fact that holds the authority's window for a name. */
export const renewalWindowKey = (name: string): `renewal-window.${string}` => `renewal-window.${keyOf(name)}`;

/** Whether a name of a certificate stands for a host: itself, or `*` for one label (RFC 6125, 6.4.3). */
export const covers = (name: string, host: string): boolean =>
  name === host || (name.startsWith("*.") && !host.startsWith("*.") && host.replace(/^[^.]+/, "*") === name);

/** The certificate that is served for a host, if any. */
export function certificateFor<C extends Pick<CertificateRecord, "name" | "names" | "at" | "removed">>(
  host: string,
  certificates: readonly C[],
): C | undefined {
  const present = certificates.filter(({ removed }) => removed !== true);
  const exact = present.filter(({ names }) => names.includes(host));
  const fits =
    exact.length > 0 ? exact : present.filter(({ names }) => names.some((one) => covers(one, host)));
  return [...fits].sort(
    (a, b) => Number(b.name === host) - Number(a.name === host) || (a.at < b.at ? 1 : a.at > b.at ? -1 : 0),
  )[0];
}
