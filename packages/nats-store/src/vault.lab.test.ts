import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCluster } from "../test/machines.ts";
import { closeSecrets, newSealKey, openVault, readRecord } from "./index.ts";

const text = "correct horse battery staple";
let cluster: Awaited<ReturnType<typeof startCluster>>;
beforeAll(async () => {
  cluster = await startCluster(["m1", "m2"]);
});
afterAll(() => cluster.cleanup());

/** Every byte below a folder. */
async function bytesIn(dir: string): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const read = files.map((file) => readFile(join(file.parentPath, file.name), "latin1"));
  return (await Promise.all(read)).join("\n");
}

describe("the vault of a store", () => {
  it("keeps text that its files do not show, and that only its key reads", async () => {
    const { session } = cluster.store("m1", { servers: cluster.first });
    const sealKey = (await cluster.machines.m1?.sealKey()) ?? "";
    expect(Buffer.from(sealKey, "base64")).toHaveLength(32);
    const vault = openVault(session, sealKey);
    expect(await vault.put("prod.db-url", text, 0)).toMatchObject({ ok: true });
    expect(await vault.get("prod.db-url")).toMatchObject({ text });
    expect(await bytesIn(`${cluster.dir}/m1/generation-1`)).not.toContain(text);

    const other = openVault(session, newSealKey());
    const revision = expect.any(Number);
    expect(await other.get("prod.db-url")).toEqual({ key: "prod.db-url", revision });
    expect(await other.list()).toEqual([{ key: "prod.db-url", revision }]);
    expect(await vault.list()).toEqual([{ key: "prod.db-url", revision, text }]);
  });

  it("does not take a text under another key than it was put", async () => {
    const { session } = cluster.store("m1", { servers: cluster.first });
    const vault = openVault(session, (await cluster.machines.m1?.sealKey()) ?? "");
    await vault.put("prod.a", "1", 0);
    const { nc, jsm } = await session.link();
    const stored = await jsm.streams.getMessage("KV_ployz_secrets", {
      last_by_subj: "$KV.ployz_secrets.prod.a",
    });
    await nc.request("$KV.ployz_secrets.prod.b", stored?.data ?? new Uint8Array(), { timeout: 2000 });
    expect((await vault.get("prod.b"))?.text).toBeUndefined();
    expect((await vault.get("prod.a"))?.text).toBe("1");
  });

  it("replaces and removes under compare-and-set", async () => {
    const { session } = cluster.store("m1", { servers: cluster.first });
    const vault = openVault(session, (await cluster.machines.m1?.sealKey()) ?? "");
    await vault.put("prod.c", "1", 0);
    expect(await vault.put("prod.c", "2", 0)).toMatchObject({ ok: false });
    const { revision = 0 } = (await vault.get("prod.c")) ?? {};
    expect(await vault.put("prod.c", "2", revision)).toMatchObject({ ok: true });
    expect(await vault.remove("prod.c", revision)).toMatchObject({ ok: false });
    await vault.remove("prod.c", (await vault.get("prod.c"))?.revision ?? 0);
    expect(await vault.get("prod.c")).toBeUndefined();
  });

  it("takes what store machines write, and no answer of the store to another member, once it is closed", async () => {
    const { session } = cluster.store("m1", { servers: cluster.first });
    const sealKey = (await cluster.machines.m1?.sealKey()) ?? "";
    const vault = openVault(session, sealKey);
    const { nc } = await cluster.store("m2", { servers: cluster.first }).session.link();
    /** An answer to a request, and an acknowledgement, both sent to a secret's subject. */
    const attack = async (key: string) => {
      const reply = `$KV.ployz_secrets.${key}`;
      nc.publish("$JS.API.STREAM.INFO.KV_ployz_facts", "", { reply });
      nc.publish("$KV.ployz_facts.any", "1", { reply });
      // Answered after the ones before it.
      await nc.request("$JS.API.STREAM.INFO.KV_ployz_facts");
      await nc.request("$KV.ployz_facts.any", "2");
    };
    await vault.put("prod.open", text, 0);
    await attack("prod.open");
    const destroyed = async () => ((await vault.get("prod.open"))?.text === undefined ? true : undefined);
    await waitFor("a store that is not closed to take the answer", destroyed, { timeoutMs: 5000 });

    await vault.put("prod.closed", text, 0);
    expect(await closeSecrets(session, sealKey)).toEqual({ changed: true });
    expect(await closeSecrets(session, sealKey)).toEqual({ changed: false });
    await attack("prod.closed");
    await attack("prod.new");
    const { revision = 0 } = (await vault.get("prod.open")) ?? {};
    expect(await vault.put("prod.open", text, revision)).toMatchObject({ ok: true });
    expect(await vault.put("prod.open", "other", revision)).toMatchObject({ ok: false });
    expect((await vault.get("prod.closed"))?.text).toBe(text);
    expect(await vault.get("prod.new")).toBeUndefined();
    expect((await vault.list()).map(({ key, text: found }) => [key, found])).toContainEqual([
      "prod.open",
      text,
    ]);
    const { revision: last = 0 } = (await vault.get("prod.open")) ?? {};
    expect(await vault.remove("prod.open", last)).toMatchObject({ ok: true });
    expect(await vault.get("prod.open")).toBeUndefined();
  });

  it("is read by the next generation with the key that it was founded with", async () => {
    const sealKey = (await cluster.machines.m1?.sealKey()) ?? "";
    const to = { ...(await cluster.set(2, ["m2"])), sealKey };
    await cluster.move({ generation: 1, machines: ["m1"] }, to);
    const servers = to.servers.map(({ host, port }) => `${host}:${port}`);
    const { session } = cluster.store("m2", { servers, generation: 2 });
    expect(await cluster.machines.m2?.sealKey()).toBe(sealKey);
    const vault = openVault(session, sealKey);
    expect((await vault.get("prod.db-url"))?.text).toBe(text);
    expect(await vault.put("prod.next", "before it is closed", 0)).toMatchObject({ ok: true });
    expect(await closeSecrets(session, sealKey)).toEqual({ changed: true });
    expect(await vault.put("prod.later", "after", 0)).toMatchObject({ ok: true });
    expect((await vault.get("prod.next"))?.text).toBe("before it is closed");
    expect(await cluster.machines.m1?.sealKey()).toBeUndefined();
    expect((await readRecord(`${cluster.dir}/m1`))?.generations[0]?.state).toBe("retired");
  });
});
