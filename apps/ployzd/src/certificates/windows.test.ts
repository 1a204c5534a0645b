import type { CertificateRecord, FactKey, FactOf } from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { expect, onTestFinished, test } from "vitest";
import { renewalAt } from "./due.ts";
import { followWindows, type WindowDeps } from "./windows.ts";

const DAY = 86_400_000;
const now = Date.now();
const iso = (at: number) => new Date(at).toISOString();
const record: CertificateRecord = {
  ...{ name: "a.test", names: ["a.test"], issuer: "x", method: "http-01", fingerprint: "00008000" },
  ...{
    notBefore: iso(now - 10 * DAY),
    notAfter: iso(now + 80 * DAY),
    renewalInfo: "https://ca.test/info/id",
  },
  sealed: { namespace: "certificates", name: "c1", version: "1" },
  ...{ operation: "", at: iso(now - 10 * DAY), by: "x" },
};
const window = (from: number, to: number, of = record.fingerprint) => ({ of, from: iso(from), to: iso(to) });

test("it is renewed within the authority's window, at the same time on every machine", () => {
  expect(renewalAt(record, window(now + DAY, now + 3 * DAY))).toBe(now + 2 * DAY);
  // Of another certificate, or without a window: a third of the lifetime is left.
  expect(renewalAt(record, window(now, now + DAY, "other"))).toBe(now + 50 * DAY);
  expect(renewalAt(record, undefined)).toBe(now + 50 * DAY);
});

test("a window that has passed is no loop, and a late one is no expiry", () => {
  const fresh = { ...record, at: iso(now) };
  expect(renewalAt(fresh, window(now - 9 * DAY, now - 8 * DAY))).toBe(now + 3_600_000);
  expect(renewalAt(record, window(now - 9 * DAY, now - 8 * DAY))).toBeLessThan(now);
  expect(renewalAt(record, window(now + 300 * DAY, now + 301 * DAY))).toBe(now + 71 * DAY);
});

/** Machines over one store whose mirrors follow it. */
function machines(names: readonly string[], ask: NonNullable<WindowDeps["ask"]>) {
  const store = createMemoryStore({ clock: createVirtualClock() });
  const listeners = new Set<() => void>();
  const known = new Map<string, { key: string; value: unknown }>();
  const facts = {
    ...store.facts,
    async put<K extends FactKey>(key: K, value: FactOf<K>, expected: number) {
      const written = await store.facts.put(key, value, expected);
      if (written.ok) known.set(key, { key, value });
      for (const listener of listeners) listener();
      return written;
    },
  } as WindowDeps["facts"];
  const mirror = {
    facts: (kind: string) => [...known].flatMap(([key, fact]) => (key.startsWith(`${kind}.`) ? [fact] : [])),
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  } as unknown as WindowDeps["mirror"];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const ended = names.map((self) =>
    followWindows({
      self,
      facts,
      mirror,
      ask,
      signal: stop.signal,
      log: (error) => expect.fail(String(error)),
    }),
  );
  return {
    facts,
    window: async () => (await store.facts.get("renewal-window.a.test"))?.value,
    async stop() {
      stop.abort();
      await Promise.all(ended);
    },
  };
}

test("one machine asks, and the answer is a fact until it is to be asked again", async () => {
  const asked: string[] = [];
  const cluster = machines(["m1", "m2", "m3"], async (url) => {
    asked.push(url);
    return { from: now + DAY, to: now + 2 * DAY, againMs: 60_000 };
  });
  await cluster.facts.put("certificate.a.test", record, 0);
  await expect.poll(cluster.window).toMatchObject({ ...window(now + DAY, now + 2 * DAY), name: "a.test" });
  expect(Date.parse((await cluster.window())?.next ?? "")).toBeGreaterThan(Date.now() + 50_000);
  expect(new Set(asked)).toEqual(new Set(["https://ca.test/info/id"]));
  await cluster.stop();
});

test("an authority that does not answer changes no window that is known, and is asked in an hour", async () => {
  const cluster = machines(["m1"], () => Promise.reject(new Error("ca.test answered 503")));
  const before = { ...window(now + DAY, now + 2 * DAY), name: "a.test", at: iso(now - DAY), machine: "m2" };
  await cluster.facts.put("renewal-window.a.test", { ...before, next: iso(now - DAY) }, 0);
  await cluster.facts.put("certificate.a.test", record, 0);
  await expect.poll(cluster.window).toMatchObject({
    ...window(now + DAY, now + 2 * DAY),
    ...{ machine: "m1", error: "ca.test answered 503" },
  });
  expect(Date.parse((await cluster.window())?.next ?? "")).toBeGreaterThan(Date.now() + 3_000_000);
  await cluster.stop();
});

test("certificates without such information are not asked about", async () => {
  const cluster = machines(["m1"], async () => expect.fail("nothing is asked"));
  const { renewalInfo: _, ...plain } = record;
  await cluster.facts.put("certificate.a.test", plain, 0);
  await cluster.facts.put("certificate.b.test", { ...record, name: "b.test", removed: true }, 0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await cluster.window()).toBeUndefined();
  await cluster.stop();
});
