import { createHash } from "node:crypto";
import type { CertificateRecord, RenewalWindow } from "@ployz/primitives/protocol";

type Lifetime = Pick<CertificateRecord, "notBefore" | "notAfter" | "fingerprint">;

/** When a third of the lifetime is left, less up to a thirtieth, so that certificates of one day are not renewed in one minute. Epoch ms. */
export function dueAt({ notBefore, notAfter, fingerprint }: Lifetime): number {
  const to = Date.parse(notAfter);
  const lifetime = lifetimeOf({ notBefore, notAfter });
  const jitter = (Number.parseInt(fingerprint.slice(0, 4), 16) || 0) / 0x1_0000;
  return to - lifetime / 3 - (jitter * lifetime) / 30;
}

const HOUR = 3_600_000;

/**
 * When it is renewed: at a time of the authority's window that is the same on every machine, else at {@link dueAt}. Never sooner than an hour or a twentieth of the
 * lifetime after its issue, whatever the authority tells, and never with less than a tenth left. Epoch ms.
 */
export function renewalAt(
  record: Lifetime & { readonly at: string },
  window: Pick<RenewalWindow, "of" | "from" | "to"> | undefined,
): number {
  const [from, to] = [window?.from, window?.to].map((time) => Date.parse(time ?? ""));
  if (window?.of !== record.fingerprint || from === undefined || to === undefined || !(from < to))
    return dueAt(record);
  const end = Date.parse(record.notAfter);
  const lifetime = lifetimeOf(record);
  const share = (Number.parseInt(record.fingerprint.slice(4, 8), 16) || 0) / 0x1_0000;
  const soonest = Date.parse(record.at) + Math.min(HOUR, lifetime / 20);
  return Math.min(Math.max(from + share * (to - from), soonest), end - lifetime / 10);
}

/** How long is waited after so many failures: authorities limit failed orders per hour. Never longer than a tenth of the lifetime. */
export function pauseAfter(failures: number, record: Pick<Lifetime, "notBefore" | "notAfter">): number {
  const lifetime = lifetimeOf(record);
  return Math.min(HOUR * 2 ** Math.min(failures - 1, 4), 24 * HOUR, lifetime / 20);
}

/** Up to a minute, or a hundredth of the lifetime: machines begin one after the other. */
export function ownDelay(record: Lifetime, self: string): number {
  const { fingerprint } = record;
  const share = createHash("sha256").update(`${self} ${fingerprint}`).digest().readUInt16BE(0) / 0x1_0000;
  return share * Math.min(60_000, lifetimeOf(record) / 100);
}

export const lifetimeOf = ({ notBefore, notAfter }: Pick<Lifetime, "notBefore" | "notAfter">): number =>
  Date.parse(notAfter) - Date.parse(notBefore);
