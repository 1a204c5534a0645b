import type { CertificateRecord } from "@ployz/primitives/protocol";
import { expect, it } from "vitest";
import { copyHandler, type RestoreDeps, restoreKeys } from "./restore.ts";

const record = (name: string, more: Partial<CertificateRecord> = {}): CertificateRecord => ({
  ...{ name, names: [name], issuer: "x", method: "http-01", fingerprint: `${name}-1` },
  ...{ notBefore: "2026-01-01T00:00:00Z", notAfter: "2026-04-01T00:00:00Z" },
  ...{ sealed: { namespace: "certificates", name: `c-${name}`, version: "old" } },
  ...{ operation: "o", at: "2026-01-01T00:00:00Z", by: "ops" },
  ...more,
});
const kept = (name: string, fingerprint: string) => ({
  ...{ name, names: [name], at: "1", revision: 1, fingerprint, pem: `pem of ${fingerprint}` },
});

it("a rebuilt store gets each key from a gateway that serves that very certificate, and names those that no machine has", async () => {
  const facts = new Map(
    [
      record("a.test"),
      record("b.test"),
      record("c.test"),
      record("d.test"),
      record("r.test", { removed: true }),
    ].map((value) => [`certificate.${value.name}`, value] as const),
  );
  const sealed = new Map<string, string>([["c-d.test", "held"]]);
  const disks: Record<string, ReturnType<typeof kept>[]> = {
    m1: [kept("b.test", "b.test-0")],
    m3: [kept("a.test", "a.test-1"), kept("r.test", "r.test-1")],
  };
  const deps = {
    facts: {
      list: async () => [...facts].map(([key, value]) => ({ key, value, revision: 7 })),
      get: async (key: string) => ({ key, revision: 1, value: { version: `new ${key}` } }),
      put: async (key: string, value: CertificateRecord, expected: number) => {
        facts.set(key as `certificate.${string}`, value);
        return { ok: expected === 7 };
      },
    },
    secrets: {
      held: async () => [...sealed.keys()].map((name) => ({ namespace: "certificates", name, version: "1" })),
      set: async ({ name, value }: { readonly name: string; readonly value: string }) => {
        sealed.set(name, value);
        return { changed: true };
      },
    },
    members: () => [{ id: "m1" }, { id: "m2" }, { id: "m3" }],
    ask: async (
      id: string,
      _command: string,
      args: { readonly name: string; readonly fingerprint: string },
    ) => {
      const disk = disks[id];
      if (disk === undefined) throw new Error("it does not answer");
      return copyHandler({ list: async () => disk })["certificate.copy"](args);
    },
    log: (error: unknown) => expect(error).toBeUndefined(),
  };
  expect(await restoreKeys(deps as unknown as RestoreDeps)).toEqual({
    restored: ["a.test"],
    lost: ["b.test", "c.test"],
  });
  expect([...sealed]).toEqual([
    ["c-d.test", "held"],
    ["c-a.test", "pem of a.test-1"],
  ]);
  expect(facts.get("certificate.a.test")?.sealed.version).toBe("new secret.certificates.c-a.test");
  expect(facts.get("certificate.b.test")?.sealed.version).toBe("old");
});
