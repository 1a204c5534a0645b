import { errorBody } from "@ployz/errors";
import {
  type CertificateRecord,
  type Json,
  type RenewalRecord,
  renewalKey,
  type Store,
} from "@ployz/primitives/protocol";
import type { Records } from "../state/records.ts";
import { lifetimeOf, ownDelay, pauseAfter, renewalAt } from "./due.ts";
import { type Due, inTime } from "./in-time.ts";
import { followWindows } from "./windows.ts";

export interface ScheduleDeps {
  readonly self: string;
  readonly facts: Store["facts"];
  readonly mirror: Pick<Records, "facts" | "onChange">;
  readonly signal: AbortSignal;
  issue(input: Json): Promise<void>;
  log(error: unknown): void;
}

/**
 * Renews certificates. Every machine has the schedule; each waits a little on its own, and the first one takes the certificate's lease. The others see its result
 * in the store, so that a failure too is everybody's last try. Resolves when the signal aborts.
 */
export async function scheduleRenewals(deps: ScheduleDeps): Promise<void> {
  const renewals = inTime(
    deps,
    (later) => soonest(deps.mirror, deps.self, later),
    (record) => renew(record, deps),
  );
  await Promise.all([renewals, followWindows(deps)]);
}

function soonest(
  mirror: ScheduleDeps["mirror"],
  self: string,
  later: ReadonlyMap<string, number>,
): Due<CertificateRecord> | undefined {
  const windows = new Map(mirror.facts("renewal-window").map(({ value }) => [value.name, value]));
  const renewals = new Map(mirror.facts("renewal").map(({ value }) => [value.name, value]));
  return mirror
    .facts("certificate")
    .flatMap(({ value: record }): readonly Due<CertificateRecord>[] => {
      if (record.removed === true || record.method === "import") return [];
      const renewal = renewals.get(record.name);
      const last = renewal !== undefined && renewal.of === record.fingerprint ? Date.parse(renewal.next) : 0;
      const due = renewalAt(record, windows.get(record.name));
      const at = Math.max(due, last) + ownDelay(record, self);
      return [{ record, at: Math.max(at, later.get(record.name) ?? 0) }];
    })
    .sort((a, b) => a.at - b.at)[0];
}

/** Resolves with how long this machine waits before it looks at the certificate again, in ms. */
async function renew(
  record: CertificateRecord,
  { self, facts, issue, log, signal }: ScheduleDeps,
): Promise<number> {
  const { name, names, fingerprint, dns, directory, challenge } = record;
  const key = renewalKey(name);
  const before = await facts.get(key).catch(() => undefined);
  const failed = before?.value.of === fingerprint ? before.value.failures : 0;
  let error: ReturnType<typeof errorBody> | undefined;
  try {
    await issue({
      names: [name, ...names.filter((one) => one !== name)],
      replaces: fingerprint,
      ...(directory?.includes("acme-staging-v02.api.letsencrypt.org") && { staging: true }),
      ...(dns !== undefined && { dns }),
      ...(challenge !== undefined && { challenge }),
    });
  } catch (cause) {
    if (signal.aborted) return 0;
    error = errorBody(cause);
    log(cause);
  }
  const now = Date.now();
  if (error !== undefined && !FAILURES.has(error.code)) {
    // Another machine renews it now, or the store does not answer: no try of the authority's.
    return Math.min(LONGEST_PAUSE_MS, lifetimeOf(record) / 50);
  }
  const failures = error === undefined ? 0 : failed + 1;
  const value: RenewalRecord = {
    ...{ name, of: fingerprint, at: new Date(now).toISOString(), machine: self },
    ...(error !== undefined && { error: error.message.slice(0, 1_000) }),
    failures,
    next: new Date(now + pauseAfter(Math.max(1, failures), record)).toISOString(),
  };
  const written = await facts.put(key, value, before?.revision ?? 0).catch(log);
  // Without the store, or when another wrote it: the mirror tells, after a pause that does not busy the processor.
  return written?.ok === true ? SETTLE_MS : PAUSE_MS;
}

/** Codes of tries that an authority or a DNS provider has refused, and of names or credentials that are not there. */
const FAILURES: ReadonlySet<string> = new Set([
  "authority_unreachable",
  "certificate_invalid",
  "certificate_refused",
  "challenge_unreachable",
  "deadline_exceeded",
  "dns_provider_failed",
  "dns_provider_unknown",
  "secret_missing",
]);
const LONGEST_PAUSE_MS = 300_000;
const PAUSE_MS = 10_000;
/** The mirror follows the store. */
const SETTLE_MS = 1_000;
