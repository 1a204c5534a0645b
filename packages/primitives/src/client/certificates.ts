import Type, { type Static } from "typebox";
import { CertificateMeta, CertificateMethod, Challenge } from "../model/certificate.ts";
import { list, object, text } from "../model/schema.ts";

/** A certificate of the cluster, without its key. */
export const CertificateRow = object({
  name: text(),
  names: list(text()),
  issuer: text(),
  /** SHA-256, in hex. */
  fingerprint: text(),
  notBefore: text(),
  notAfter: text(),
  method: CertificateMethod,
  directory: Type.Optional(text()),
  /** The operator's choice, which renewals keep. */
  challenge: Type.Optional(Challenge),
  at: text(),
  by: text(),
  /** `due`: a third of its lifetime or less is left. `lost`: the store was recovered without keys; issue or import it again. */
  state: Type.Enum(["valid", "due", "expired", "lost"]),
  /** Routes over TLS that it is served for: `prod/web www.example.com`. */
  users: list(text()),
  /** When the authority would like it to be renewed (RFC 9773), RFC 3339; absent: it does not tell. */
  window: Type.Optional(object({ from: text(), to: text() })),
  /** The next try to renew it, RFC 3339; absent for an imported one. */
  nextTry: Type.Optional(text()),
  /** The last try to renew it. */
  lastTry: Type.Optional(object({ at: text(), machine: text(), error: Type.Optional(text()) })),
});
/** Static type of the schema of this name. */
export type CertificateRow = Static<typeof CertificateRow>;
/** Answer of `cert ls` and `cert show`. */
export const CertificateList = object({
  kind: Type.Literal("certificates"),
  certificates: list(CertificateRow),
});
/** Static type of the schema of this name. */
export type CertificateList = Static<typeof CertificateList>;

/** An uploaded certificate that was checked and sealed. `sealed`: for the input of `cert-import`. */
export const CertificateUpload = object({
  kind: Type.Literal("certificate-upload"),
  sealed: text(),
  certificate: CertificateMeta,
});
/** Static type of the schema of this name. */
export type CertificateUpload = Static<typeof CertificateUpload>;

/** The authority that certificates are ordered from. */
export const CertificateAccount = object({
  kind: Type.Literal("certificate-account"),
  directory: text(),
  email: Type.Optional(text()),
  /** Id of the external account. */
  eabKid: Type.Optional(text()),
  /** Whether the authority's own root is set. */
  root: Type.Boolean(),
});
/** Static type of the schema of this name. */
export type CertificateAccount = Static<typeof CertificateAccount>;
