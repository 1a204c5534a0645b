import { errorBody } from "@ployz/errors";
import {
  type CertificateRecord,
  type RenewalWindow,
  renewalWindowKey,
  type Store,
} from "@ployz/primitives/protocol";
import type { Records } from "../state/records.ts";
import { authorityOf } from "./accounts.ts";
import { trustedRoots } from "./check.ts";
import { ownDelay } from "./due.ts";
import { type Due, inTime } from "./in-time.ts";
import type { SuggestedWindow } from "./renewal-info.ts";

export interface WindowDeps {
  readonly self: string;
  readonly facts: Store["facts"];
  readonly mirror: Pick<Records, "facts" | "onChange">;
  readonly signal: AbortSignal;
  log(error: unknown): void;
  /** Asks an authority. */
  ask?(url: string, options: { roots: readonly string[]; signal: AbortSignal }): Promise<SuggestedWindow>;
}

/** After an answer that is none. */
const AGAIN_MS = 3_600_000;
const PAUSE_MS = 10_000;
const SETTLE_MS = 1_000;

/**
 * Keeps what authorities tell about renewals (RFC 9773): a certificate that has to be revoked is renewed before. Any machine asks, one at a time as a rule,
 * and all follow the fact.
 */
export const followWindows = (deps: WindowDeps): Promise<void> =>
  inTime(
    deps,
    (later) => soonest(deps, later),
    (record) => look(record, deps),
  );

function soonest(
  { mirror, self }: WindowDeps,
  later: ReadonlyMap<string, number>,
): Due<CertificateRecord> | undefined {
  const windows = new Map(mirror.facts("renewal-window").map(({ value }) => [value.name, value]));
  return mirror
    .facts("certificate")
    .flatMap(({ value: record }): readonly Due<CertificateRecord>[] => {
      if (record.removed === true || record.renewalInfo === undefined) return [];
      const known = windows.get(record.name);
      const next = Date.parse(known?.of === record.fingerprint ? known.next : record.at);
      return [{ record, at: Math.max(next + ownDelay(record, self), later.get(record.name) ?? 0) }];
    })
    .sort((a, b) => a.at - b.at)[0];
}

/** Resolves with how long this machine waits before it looks at the certificate again, in ms. */
async function look(record: CertificateRecord, deps: WindowDeps): Promise<number> {
  const { facts, self, signal, log } = deps;
  const { name, fingerprint: of, renewalInfo = "" } = record;
  const key = renewalWindowKey(name);
  try {
    const before = await facts.get(key);
    const known = before?.value.of === of ? before.value : undefined;
    // Another machine was sooner: the mirror is to tell.
    if (known !== undefined && Date.parse(known.next) > Date.now()) return SETTLE_MS;
    const told = await windowOf(renewalInfo, deps).catch((error: unknown) => {
      signal.throwIfAborted();
      return errorBody(error);
    });
    const now = Date.now();
    const iso = (at: number) => new Date(at).toISOString();
    const failed = "message" in told;
    const value: RenewalWindow = {
      ...{ name, of, at: iso(now), machine: self },
      // The window before holds.
      ...(known?.from !== undefined && { from: known.from }),
      ...(known?.to !== undefined && { to: known.to }),
      ...(failed
        ? { error: told.message.slice(0, 1_000), next: iso(now + AGAIN_MS) }
        : { from: iso(told.from), to: iso(told.to), next: iso(now + told.againMs) }),
    };
    return (await facts.put(key, value, before?.revision ?? 0)).ok ? SETTLE_MS : PAUSE_MS;
  } catch (error) {
    if (!signal.aborted) log(error);
    return PAUSE_MS;
  }
}

async function windowOf(url: string, { facts, signal, ask }: WindowDeps): Promise<SuggestedWindow> {
  const [own, authority] = await Promise.all([trustedRoots(), authorityOf({ facts })]);
  const roots = [...own, ...(authority?.root === undefined ? [] : [authority.root])];
  const asked = ask ?? (await import("./renewal-info.ts")).askWindow;
  return asked(url, { roots, signal });
}
