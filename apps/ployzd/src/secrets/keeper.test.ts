import { errorBody } from "@ployz/errors";
import type { Sealed, Vault } from "@ployz/nats-store";
import type { SecretRecord } from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { describe, expect, it } from "vitest";
import { openKeeper } from "./keeper.ts";

/** A vault in memory; `before` runs ahead of each write. */
function memoryVault(
  before: () => Promise<void> = async () => {},
): Vault & { readonly all: Map<string, Sealed> } {
  const all = new Map<string, Sealed>();
  let last = 0;
  const write = async (key: string, expected: number, apply: (revision: number) => void) => {
    await before();
    if ((all.get(key)?.revision ?? 0) !== expected) return { ok: false };
    apply(++last);
    return { ok: true };
  };
  return {
    all,
    get: async (key) => all.get(key),
    list: async () => [...all.values()],
    put: (key, text, expected) => write(key, expected, (revision) => all.set(key, { key, revision, text })),
    remove: (key, expected) => write(key, expected, () => all.delete(key)),
  };
}

function open(vault = memoryVault()) {
  const { facts } = createMemoryStore({ clock: createVirtualClock() });
  let versions = 0;
  const keeper = openKeeper({ vault, facts, newVersion: () => `v${++versions}`, now: () => new Date(0) });
  const fact = async () =>
    (await facts.get("secret.prod.db-url"))?.value as unknown as SecretRecord | undefined;
  return { keeper, vault, facts, fact };
}
const name = { namespace: "prod", name: "db-url" };
const to = (value: string, more = {}) => ({ ...name, value, private: false, by: "root@m1", ...more });
const code = (work: Promise<unknown>) => work.catch((error: unknown) => errorBody(error).code);

describe("secrets", () => {
  it("have a version that everybody sees and a value that only their reader gets", async () => {
    const { keeper, fact } = open();
    expect(await keeper.set(to("one"))).toEqual({ changed: true });
    expect(await fact()).toEqual({
      ...name,
      version: "v1",
      at: "1970-01-01T00:00:00.000Z",
      by: "root@m1",
      bytes: 3,
    });
    expect(await keeper.read([{ ...name, version: "v1" }])).toEqual(["one"]);
    expect(await keeper.held()).toEqual([{ ...name, version: "v1" }]);
  });

  it("say how many users they name, and not which", async () => {
    const { keeper, fact, facts } = open();
    const sha = `$6$saltsalt$${"a".repeat(86)}`;
    await keeper.set(to(`ann:${sha}\nbob:${sha}\n`));
    expect(await fact()).toMatchObject({ users: 2 });
    expect(JSON.stringify(await fact())).not.toMatch(/ann|saltsalt/);
    const { value, revision } = (await facts.get("secret.prod.db-url")) ?? { value: undefined, revision: 0 };
    const { users: _, ...earlier } = (value ?? {}) as SecretRecord;
    expect(_).toBe(2);
    await facts.put("secret.prod.db-url", earlier, revision);
    expect(await keeper.set(to(`ann:${sha}\nbob:${sha}\n`))).toEqual({ changed: false });
    expect(await fact()).toMatchObject({ users: 2 });
    await keeper.set(to("ann:plain"));
    expect(await fact()).not.toHaveProperty("users");
  });

  it("keep their version when they are set to the same value", async () => {
    const { keeper, fact } = open();
    await keeper.set(to("one"));
    expect(await keeper.set(to("one"))).toEqual({ changed: false });
    expect(await keeper.set(to("one", { private: true }))).toEqual({ changed: true });
    expect(await fact()).toMatchObject({ version: "v2", private: true });
  });

  it("are not read in a version that is not the present one, nor when they are gone", async () => {
    const { keeper, vault } = open();
    await keeper.set(to("one"));
    await keeper.set(to("two"));
    expect(await code(keeper.read([{ ...name, version: "v1" }]))).toBe("secret_changed");
    vault.all.clear();
    expect(await code(keeper.read([{ ...name, version: "v2" }]))).toBe("secret_lost");
    expect(await keeper.held()).toEqual([]);
  });

  it("are lost when they cannot be unsealed, and can be set again", async () => {
    const { keeper, vault } = open();
    await keeper.set(to("one"));
    vault.all.set("prod.db-url", { key: "prod.db-url", revision: 1 });
    expect(await code(keeper.read([{ ...name, version: "v1" }]))).toBe("secret_lost");
    expect(await keeper.set(to("one"))).toEqual({ changed: true });
    expect(await keeper.read([{ ...name, version: "v2" }])).toEqual(["one"]);
  });

  it("of two concurrent writers one wins and the other gets a conflict", async () => {
    let other: (() => Promise<unknown>) | undefined;
    const vault = memoryVault(async () => {
      const meanwhile = other;
      other = undefined;
      await meanwhile?.();
    });
    const { keeper, fact } = open(vault);
    other = () => keeper.set(to("theirs"));
    expect(await code(keeper.set(to("mine")))).toBe("conflict");
    const { version = "" } = (await fact()) ?? {};
    expect(await keeper.read([{ ...name, version }])).toEqual(["theirs"]);
  });

  it("finish a write that was cut short between value and fact, whoever meets it", async () => {
    for (const meet of ["set", "read", "held"] as const) {
      const { keeper, vault, fact } = open();
      await keeper.set(to("one"));
      const held = { ...name, version: "v9", at: "", by: "", value: "two" };
      vault.all.set("prod.db-url", { key: "prod.db-url", revision: 7, text: JSON.stringify(held) });
      if (meet === "set") expect(await keeper.set(to("two"))).toEqual({ changed: false });
      if (meet === "read")
        expect(await code(keeper.read([{ ...name, version: "v1" }]))).toBe("secret_changed");
      if (meet === "held") await keeper.held();
      expect((await fact())?.version).toBe("v9");
    }
  });

  it("are removed with their fact, also when only that is left", async () => {
    const { keeper, vault, fact } = open();
    await keeper.set(to("one"));
    expect(await keeper.remove(name)).toEqual({ changed: true });
    expect(await fact()).toBeUndefined();
    expect(await keeper.remove(name)).toEqual({ changed: false });
    await keeper.set(to("two"));
    vault.all.clear();
    expect(await keeper.remove(name)).toEqual({ changed: true });
    expect(await fact()).toBeUndefined();
  });
});
