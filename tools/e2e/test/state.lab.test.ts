import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../src/cluster.ts";
import { difference, inventory } from "../src/inventory.ts";
import { LEDGER, ledgerBundles, ledgerManifest, lost, rowsOf, writer } from "../src/ledger.ts";

type Volume = { readonly name: string; readonly namespace: string; readonly machine: string };
type Done = {
  readonly state: string;
  readonly changed: boolean;
  readonly revision: number;
  readonly owed: unknown[];
};

describe("an environment with data", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await openCluster({ machines: 3, volumes: true });
    const file = await cluster.put(1, ledgerManifest(), ledgerBundles);
    await cluster.ctl(1, ["deploy", "-f", file]);
  }, 300_000);
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  const machineOf = async (namespace = "prod") =>
    (await cluster.json<{ volumes: readonly Volume[] }>(1, ["volume", "ls", namespace])).volumes.find(
      ({ name }) => name === "data",
    )?.machine ?? "";
  const done = (i: number, args: readonly string[]) => cluster.json<Done>(i, args, { timeoutMs: 300_000 });

  it("a branch has every row that was acknowledged before it, and lives by itself", async () => {
    await using writing = await writer(cluster, 1);
    await expect.poll(async () => (await rowsOf(cluster, 2)).length, { timeout: 30_000 }).toBeGreaterThan(50);
    const before = await rowsOf(cluster, 3);
    const preview = await cluster.ctl(2, ["branch", "preview", "prod", "pr-42", "--volume-mode", "branch"]);
    expect(preview.stdout).toContain("volume data: from prod/data");
    expect(await done(2, ["branch", "apply", "prod", "pr-42", "--volume-mode", "branch"])).toMatchObject({
      state: "done",
      owed: [],
    });
    const branched = await rowsOf(cluster, 1, `pr-42--${LEDGER}`);
    expect(lost(before, branched)).toEqual([]);
    await cluster.get(1, `pr-42--${LEDGER}`, "/write?n=1000000");
    const { acknowledged, failures, longestGapMs } = await writing.end();
    console.log(`branch: ${acknowledged.length} rows acknowledged meanwhile, longest gap ${longestGapMs} ms`);
    expect(failures).toEqual([]);
    const rows = await rowsOf(cluster, 2);
    expect(lost(acknowledged, rows)).toEqual([]);
    expect(rows).not.toContain(1_000_000);
    expect(await done(3, ["branch", "apply", "prod", "pr-42", "--volume-mode", "branch"])).toMatchObject({
      changed: false,
    });
  });

  it("a promotion flips the services and leaves the data", async () => {
    const rows = await rowsOf(cluster, 1);
    const file = await cluster.put(
      2,
      ledgerManifest({ version: "v2", namespace: "pr-42" }).replaceAll('host = "', 'host = "pr-42--'),
      ledgerBundles,
    );
    await cluster.ctl(2, ["deploy", "-f", file]);
    expect((await cluster.ctl(1, ["promote", "pr-42", "prod", "-n"])).stdout).toContain("~ service web");
    expect(await done(1, ["promote", "pr-42", "prod"])).toMatchObject({ state: "done", owed: [] });
    expect((await cluster.get(3, "www.example.test")).body).toContain('"version":"v2"');
    expect((await cluster.get(3, LEDGER)).body).toBe("v2");
    expect(await rowsOf(cluster, 1)).toEqual(rows);
  });

  it("a rollback with data goes back, and forward again with every row", async () => {
    await cluster.get(1, LEDGER, "/write?n=2000000");
    const rows = await rowsOf(cluster, 1);
    const { revision: promoted } = (
      await cluster.json<{ commits: { revision: number }[] }>(1, ["history", "prod"])
    ).commits[0] ?? { revision: 0 };
    expect(await done(2, ["rollback", "prod", "--volumes", "all"])).toMatchObject({
      state: "done",
      owed: [],
    });
    expect((await cluster.get(3, LEDGER)).body).toBe("v1");
    expect(await rowsOf(cluster, 3)).not.toContain(2_000_000);
    expect(await done(3, ["rollback", "prod", "--to", String(promoted), "--volumes", "all"])).toMatchObject({
      state: "done",
      owed: [],
    });
    expect((await cluster.get(1, LEDGER)).body).toBe("v2");
    expect(await rowsOf(cluster, 1)).toEqual(rows);
  });

  it("a migration takes all data with it, and requests wait instead of failing", async () => {
    await using writing = await writer(cluster, 1);
    const [first = "", second = ""] = ["m1", "m2", "m3"].filter((id) => id !== "");
    const from = await machineOf();
    const others = ["m1", "m2", "m3"].filter((id) => id !== from);
    expect(
      (await cluster.ctl(1, ["migrate", "preview", "prod/ledger", "--to", others[0] ?? first])).stdout,
    ).toContain("MiB to copy");
    for (const to of [others[0] ?? first, others[1] ?? second, from]) {
      expect(await done(2, ["migrate", "apply", "prod/ledger", "--to", to])).toMatchObject({
        state: "done",
        owed: [],
      });
      expect(await machineOf()).toBe(to);
    }
    const { acknowledged, failures, longestGapMs } = await writing.end();
    console.log(
      `three migrations: ${acknowledged.length} rows acknowledged, longest gap ${longestGapMs} ms, failures ${JSON.stringify(failures)}`,
    );
    expect(lost(acknowledged, await rowsOf(cluster, 3))).toEqual([]);
    expect(failures).toEqual([]);
  });

  it("a volume goes out to a file and comes in on another machine; a file that is damaged leaves nothing", async () => {
    const rows = await rowsOf(cluster, 1);
    const from = await machineOf();
    const [asked = "", target = ""] = ["m1", "m2", "m3"].filter((id) => id !== from);
    const i = Number(asked.slice(1));
    const file = "/root/data.ployz-volume";
    await cluster.ctl(i, ["volume", "export", "prod/data", "-o", file]);
    await cluster.ctl(i, ["volume", "export", "prod/data", "-o", file], { ok: [3] });
    const spoil = `cd /root
size=$(stat -c %s ${file})
head -c $((size - 40)) ${file} > short
cp ${file} spoilt
printf spoilt | dd of=spoilt bs=1 seek=$((size / 2)) conv=notrunc status=none`;
    await cluster.lab.sh(i, ["sh", "-ec", spoil]);
    const before = await inventory(cluster);
    const take = (name: string, code: number) =>
      cluster.ctl(i, ["volume", "import", "copy/data", name, "--machine", target], { ok: [code] });
    const refused = [await take("/root/none", 2), await take("/etc/hostname", 2)];
    expect(refused.map(({ stderr }) => stderr).join()).toMatch(/no such file.*not an exported volume/s);
    for (const name of ["/root/short", "/root/spoilt"])
      expect((await take(name, 1)).stderr).toContain("the file is damaged");
    expect(difference(before, await inventory(cluster))).toEqual([]);

    expect(await done(i, ["volume", "import", "copy/data", file, "--machine", target])).toMatchObject({
      ...{ state: "done", changed: true, owed: [] },
    });
    const manifest = ledgerManifest({ namespace: "copy" }).replaceAll('host = "', 'host = "copy--');
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest, ledgerBundles)]);
    expect(await machineOf("copy")).toBe(target);
    expect(await rowsOf(cluster, 1, `copy--${LEDGER}`)).toEqual(rows);
    expect(await done(i, ["volume", "import", "copy/data", file, "--machine", target])).toMatchObject({
      changed: false,
    });
    expect(await done(1, ["namespace", "rm", "copy", "--yes"])).toMatchObject({ state: "done", owed: [] });
  });

  it("the source is removed before its branch: the branch goes on, and nothing is left running in the end", async () => {
    const branched = await rowsOf(cluster, 1, `pr-42--${LEDGER}`);
    expect(await done(1, ["namespace", "rm", "prod", "--yes"])).toMatchObject({ state: "done", owed: [] });
    expect(await rowsOf(cluster, 2, `pr-42--${LEDGER}`)).toEqual(branched);
    expect(await done(2, ["namespace", "rm", "pr-42", "--yes"])).toMatchObject({ state: "done", owed: [] });
    const { instances } = await cluster.json<{ instances: unknown[] }>(3, ["ps"]);
    expect(instances).toEqual([]);
    // Nothing is lost: what was removed can be brought back, with its data.
    expect(await done(3, ["rollback", "pr-42", "--volumes", "all"])).toMatchObject({
      state: "done",
      owed: [],
    });
    expect(lost(branched, await rowsOf(cluster, 1, `pr-42--${LEDGER}`))).toEqual([]);
  });
});
