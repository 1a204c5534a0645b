import { observeMembers } from "../change/observe/cluster.ts";
import type { MachineFact } from "../change/observe/facts.ts";
import type { PrimitivePorts } from "../engine/types.ts";
import { type CertificateRecord, certificateKey } from "../model/certificate.ts";

/** What an operation on a certificate is planned from. */
export type CertificateFacts = {
  readonly machines: readonly MachineFact[];
  /** Those that are served now. */
  readonly certificates: readonly CertificateRecord[];
  /** The one of the name, also a removed one. */
  readonly present?: CertificateRecord;
  readonly revision: number;
};

export async function observeCertificate(
  name: string,
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<CertificateFacts> {
  const [machines, facts] = await Promise.all([
    observeMembers([], ports, signal),
    ports.store.facts.list("certificate"),
  ]);
  const own = facts.find(({ key }) => key === certificateKey(name));
  return {
    machines,
    certificates: facts.flatMap(({ value }) => (value.removed === true ? [] : [value])),
    ...(own !== undefined && { present: own.value }),
    revision: own?.revision ?? 0,
  };
}
