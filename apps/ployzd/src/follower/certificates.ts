import type { Certificate } from "@ployz/gateway";
import { certificateFor } from "@ployz/primitives/protocol";
import { certificateId, type KeptCertificate } from "../state/certificates.ts";

/** Each name is served by one certificate: the one called by it, else the newest that has it. Pure. */
export function certificatesOf(kept: readonly KeptCertificate[]): readonly Certificate[] {
  return kept.flatMap((one) => {
    const names = one.names.filter((name) => certificateFor(name, kept) === one);
    return names.length === 0 ? [] : [{ id: certificateId(one.name), names, pem: one.pem }];
  });
}
