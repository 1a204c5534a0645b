import type { CertificateRecord } from "@ployz/primitives/protocol";

type Lifetime = Pick<CertificateRecord, "notBefore" | "notAfter" | "fingerprint">;

/** When a third of the lifetime is left, less up to a thirtieth, so that certificates of one day are not renewed in one minute. Epoch ms. */
export function dueAt({ notBefore, notAfter, fingerprint }: Lifetime): number {
  const [from, to] = [Date.parse(notBefore), Date.parse(notAfter)];
  const lifetime = to - from;
  const jitter = (Number.parseInt(fingerprint.slice(0, 4), 16) || 0) / 0x1_0000;
  return to - lifetime / 3 - (jitter * lifetime) / 30;
}

const HOUR = 3_600_000;

/** How long is waited after so many failures: authorities limit failed orders per hour. Never longer than a tenth of the lifetime. */
export function pauseAfter(failures: number, { notBefore, notAfter }: Lifetime): number {
  const lifetime = Date.parse(notAfter) - Date.parse(notBefore);
  return Math.min(HOUR * 2 ** Math.min(failures - 1, 4), 24 * HOUR, lifetime / 20);
}
