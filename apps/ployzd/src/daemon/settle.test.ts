import { PloyzError } from "@ployz/errors";
import type { AdoptionReport } from "@ployz/primitives/client";
import type { Commit } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import { settleMember } from "./settle.ts";

const commit = {
  namespace: "prod",
  operation: "op",
  services: { db: { revision: "r", spec: { command: ["db"], env: {}, stopGraceMs: 1_000, volumes: {} } } },
  volumes: [],
  instances: [
    { id: "prod.db.0.a", service: "db", slot: 0, machine: "m1", address: "10.101.1.2", revision: "r" },
  ],
} as unknown as Commit;

test("an instance that could not start is started once it can, also while the store is away", async () => {
  let tries = 0;
  const stop = new AbortController();
  let adoption = {
    ...{ at: "", adopted: [], recreated: [], removed: [] },
    failed: [{ what: "prod.db.0.a", error: { code: "pool_missing", message: "no pool" } }],
  } as AdoptionReport;
  const deps = {
    runtime: {
      adopt: async () => {},
      inspect: async () => ({ state: "exited" }),
      start: async () => {
        if (++tries < 2) throw new PloyzError({ code: "pool_missing", message: "no pool yet" });
      },
    },
    reservations: { restore: async () => {} },
    stopped: { has: () => false },
    volumes: { remountedAt: () => undefined, use: (_: unknown, task: () => Promise<unknown>) => task() },
  };
  const seen: string[] = [];
  await settleMember({
    ...{
      self: "m1",
      dataDir: "/nonexistent",
      deps,
      heads: () => [commit],
      signal: stop.signal,
      adoption: () => adoption,
    },
    confirmed: () => false,
    yielded: async () => [],
    mirror: { synced: () => new Promise<void>(() => {}) },
    log: { info() {}, warn() {}, error() {} },
    report(found: AdoptionReport) {
      adoption = found;
      seen.push(found.failed[0]?.error.message ?? "started");
      if (found.failed.length === 0) stop.abort();
    },
  } as never);
  expect(seen).toEqual(["no pool yet", "started"]);
  expect(adoption.recreated).toEqual([{ what: "prod.db.0.a", why: "it was exited" }]);
}, 20_000);
