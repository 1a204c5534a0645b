import type { CertificateRecord } from "@ployz/primitives/protocol";
import { expect, it } from "vitest";
import { PloyzError } from "../error-codes.ts";
import { type ScheduleDeps, scheduleRenewals } from "./schedule.ts";

const LIFETIME_MS = 5_000;

/** Due since a while, and not expired yet. */
function record(name: string, now: number): CertificateRecord {
  return {
    ...{ name, names: [name], issuer: "x", method: "http-01", fingerprint: `${name}-1` },
    notBefore: new Date(now - LIFETIME_MS).toISOString(),
    notAfter: new Date(now + 100).toISOString(),
    sealed: { namespace: "certificates", name: "c1", version: "1" },
    ...{ operation: "", at: "2026-01-01T00:00:00Z", by: "x" },
  };
}

it("a renewal that this machine cannot make now holds up no other", async () => {
  const now = Date.now();
  const stop = new AbortController();
  let records = [record("a.test", now), record("b.test", now + 1)];
  let changed = () => {};
  const tries: string[] = [];
  const issue = async (input: unknown) => {
    const [name = ""] = (input as { names: string[] }).names;
    tries.push(name);
    if (name === "a.test")
      throw new PloyzError({ code: "machine_unreachable", message: "no answer", hint: "wait" });
    records = records.map((one) =>
      one.name === name ? { ...one, fingerprint: "new", notAfter: "2099-01-01T00:00:00Z" } : one,
    );
    changed();
    stop.abort();
  };
  const facts = { get: async () => undefined, put: async () => ({ ok: true, revision: 1 }) };
  const mirror = {
    facts: (kind: string) => (kind === "certificate" ? records.map((value) => ({ value })) : []),
    onChange: (listen: () => void) => {
      changed = listen;
      return () => {};
    },
  };
  const deps: Partial<Record<keyof ScheduleDeps, unknown>> = {
    ...{ self: "m1", facts, mirror, signal: stop.signal, issue, log: () => {} },
  };
  await scheduleRenewals(deps as ScheduleDeps);
  expect(tries.at(0)).toBe("a.test");
  expect(tries.at(-1)).toBe("b.test");
  expect(tries.length).toBeLessThan(5);
});
