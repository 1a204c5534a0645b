import type { CertificateMeta, CertificateRecord, Challenge } from "../model/certificate.ts";

/** How a certificate authority is asked. */
export type CertificateOrder = {
  readonly names: readonly string[];
  /** Let's Encrypt's staging environment in place of the cluster's authority. */
  readonly staging: boolean;
  readonly dns?: { readonly provider: string; readonly secret: string };
  /** The operator's choice. Default: what fits the listeners of the machine that orders. */
  readonly challenge?: Challenge;
  /** All machines answer TLS-ALPN-01. */
  readonly alpn?: boolean;
  readonly operation: string;
};

/** The part of the protocol that gets certificates and has them served. */
export interface CertificateCommands {
  /** Orders a certificate and seals it in the store. Progress: what it waits for. Fails with `certificate_refused` and the authority's reason. */
  "certificate.order": {
    args: CertificateOrder;
    out: { certificate: CertificateMeta; sealed: CertificateRecord["sealed"] };
  };
  /** Removes a sealed certificate that nothing serves. */
  "certificate.forget": { args: { sealed: string }; out: null };
  /** This machine's gateway serves the certificates of the facts as they are now. `served`: false without a gateway. */
  "certificate.serve": { args: { name: string }; out: { served: boolean } };
  /**
   * This machine's gateway answers these challenges from now on, for at most an hour; none: it stops. `answers`: HTTP-01, by token. `proofs`: TLS-ALPN-01, by
   * host: PEM of a certificate with its key, which is good for nothing else.
   */
  "certificate.challenge": {
    args: {
      order: string;
      answers: Readonly<Record<string, string>>;
      proofs?: Readonly<Record<string, string>>;
    };
    out: null;
  };
  /** Runs an operation for each host that no certificate is valid for, and waits for it. */
  "certificate.ensure": {
    args: { hosts: readonly string[] };
    out: { issued: readonly string[] };
  };
}
