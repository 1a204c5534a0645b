import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCluster } from "../test/machines.ts";
import { newSealKey, openVault, readRecord } from "./index.ts";

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

  it("is read by the next generation with the key that it was founded with", async () => {
    const sealKey = (await cluster.machines.m1?.sealKey()) ?? "";
    const to = { ...(await cluster.set(2, ["m2"])), sealKey };
    await cluster.move({ generation: 1, machines: ["m1"] }, to);
    const servers = to.servers.map(({ host, port }) => `${host}:${port}`);
    const { session } = cluster.store("m2", { servers, generation: 2 });
    expect(await cluster.machines.m2?.sealKey()).toBe(sealKey);
    expect((await openVault(session, sealKey).get("prod.db-url"))?.text).toBe(text);
    expect(await cluster.machines.m1?.sealKey()).toBeUndefined();
    expect((await readRecord(`${cluster.dir}/m1`))?.generations[0]?.state).toBe("retired");
  });
});
