import type { Body } from "./bodies.ts";
import type { CertificateAccount, CertificateList, CertificateUpload } from "./certificates.ts";

/** The routes of the local API about certificates. */
export interface CertificateApi {
  "GET /v1/certificates": { query: Record<never, string>; body: undefined; out: CertificateList };
  /** Checks chain and key and seals them; they are served from a `cert-import` on. Nothing tells the key again. */
  "POST /v1/certificates": {
    query: Record<never, string>;
    body: Body<"POST /v1/certificates">;
    out: CertificateUpload;
  };
  /** Forgets an upload that nothing serves. */
  "DELETE /v1/certificates/:sealed": {
    query: Record<never, string>;
    body: undefined;
    out: { kind: "certificate-forgotten"; changed: boolean };
  };
  "GET /v1/certificate-account": { query: Record<never, string>; body: undefined; out: CertificateAccount };
  /** Fields that are left out stay as they are. */
  "PUT /v1/certificate-account": {
    query: Record<never, string>;
    body: Body<"PUT /v1/certificate-account">;
    out: CertificateAccount;
  };
}
