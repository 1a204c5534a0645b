import Type from "typebox";
import { Challenge } from "../model/certificate.ts";
import { label } from "../model/fields.ts";
import { HOST } from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  names: Type.Array(Type.String({ pattern: HOST, description: "a host name" }), {
    minItems: 1,
    maxItems: 100,
    description: "Host names; the certificate is called by the first.",
  }),
  staging: Type.Optional(Type.Boolean({ description: "Let's Encrypt's staging environment." })),
  dns: Type.Optional(
    Type.Object({
      provider: label("a DNS provider"),
      secret: Type.String({ pattern: "^[a-z][a-z0-9-]*/[a-z][a-z0-9-]*$", description: "NAMESPACE/SECRET" }),
    }),
  ),
  challenge: Type.Optional(
    Type.Enum(Challenge.enum, {
      description:
        "How each host is proved. Default: HTTP-01 where the gateway listens on port 80, else TLS-ALPN-01.",
    }),
  ),
  force: Type.Optional(Type.Boolean({ description: "Also replace one that is valid for the names." })),
  /** Replaces the certificate of this fingerprint only: a schedule's renewal that comes second does nothing. */
  replaces: Type.Optional(Type.String({ maxLength: 100 })),
});
/** Input of `cert-issue`: the names, and how they are proved. */
export type CertIssueInput = Shape<typeof Input>;
