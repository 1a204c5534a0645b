import Type, { type Static } from "typebox";
import { CertificateMeta } from "./certificate.ts";
import { label } from "./fields.ts";
import { count, object, text } from "./schema.ts";

/** The fact `secret.<namespace>.<name>`: that there is a secret. Its value is sealed, on store machines only. */
export const SecretRecord = object({
  namespace: label(),
  name: label(),
  version: text(),
  /** Of the value, in UTF-8. Absent: set before 0.5. */
  bytes: Type.Optional(count()),
  /** How many users it names, where it can be the secret of a `basic_auth`. */
  users: Type.Optional(count()),
  /** RFC 3339. */
  at: text(),
  /** `user@machine`, for people only. */
  by: text(),
  /** Namespaces that are branched from this one do not get it. */
  private: Type.Optional(Type.Literal(true)),
  /** Credentials of a registry, not a secret of a namespace: no workload gets it. */
  registry: Type.Optional(object({ host: text(), user: text() })),
  /** Chain and key of a certificate, or a key of an ACME account: no workload gets it. */
  certificate: Type.Optional(CertificateMeta),
  acme: Type.Optional(Type.Literal(true)),
  /** Where an alert is sent: no workload gets it. */
  alert: Type.Optional(Type.Literal(true)),
});
export type SecretRecord = Static<typeof SecretRecord>;

/** Whether it is a secret of a namespace's workloads, and not one of Ployz's own. */
export const isOfNamespace = ({ registry, certificate, acme, alert }: SecretRecord): boolean =>
  registry === undefined && certificate === undefined && acme === undefined && alert === undefined;

/** The key of the fact of a secret. */
export const secretKey = ({
  namespace,
  name,
}: Pick<SecretRecord, "namespace" | "name">): `secret.${string}` => `secret.${namespace}.${name}`;
