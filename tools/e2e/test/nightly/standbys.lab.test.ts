import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { ledgerBundles, ledgerManifest, lost, rowsOf, writer } from "../../src/ledger.ts";
import { daemonUp, within } from "../../src/survive.ts";

/** Three machines with pools; m1 alone holds the store. The ledger runs on m2, with a standby on m3. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3, volumes: true });
}, 600_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

interface Standbys {
  readonly standbys: readonly {
    readonly machine: string;
    readonly state: string;
    readonly holds?: string;
    readonly lagMs?: number;
    readonly lagBytes?: number;
    readonly last?: { readonly state?: string; readonly operation?: string };
  }[];
}
interface Volumes {
  readonly volumes: readonly {
    readonly id: string;
    readonly machine: string;
    readonly state: string;
    readonly observed?: { readonly standby?: string };
  }[];
}
interface Snapshots {
  readonly snapshots: readonly { readonly name: string; readonly machine?: string }[];
}

const standby = async () =>
  (await cluster.json<Standbys>(1, ["volume", "standby", "ls", "prod"])).standbys[0];
const copies = async () => (await cluster.json<Volumes>(1, ["volume", "ls", "prod", "--all"])).volumes;
const snapshots = async () =>
  (await cluster.json<Snapshots>(1, ["volume", "snapshots", "prod/data"])).snapshots;
/** Resolves when the standby holds everything written before now. */
const caughtUp = (what: string) => {
  const now = Date.now() + 1000;
  return within(what, 120_000, async () =>
    Date.parse((await standby())?.holds ?? "") > now ? true : undefined,
  );
};
const deploy = async (version: string) =>
  cluster.ctl(1, ["deploy", "-f", await cluster.put(1, ledgerManifest({ version }), ledgerBundles)]);

it("a standby follows beside a writer, and a migration to its machine and back sends the last difference only", async () => {
  await deploy("v1");
  await cluster.ctl(1, ["migrate", "prod/ledger", "--to", "m2"]);
  await cluster.ctl(1, ["volume", "standby", "add", "prod/data", "--to", "m2"], { ok: [2] });
  await cluster.ctl(1, ["volume", "standby", "add", "prod/data", "--to", "m3", "--every", "3s"]);
  await using writes = await writer(cluster, 1);
  await caughtUp("the standby has its first copy");
  await caughtUp("the standby has a difference");
  expect(await standby()).toMatchObject({ machine: "m3", state: "current", lagBytes: expect.any(Number) });
  const own = (await snapshots()).filter(({ name }) => name.startsWith("standby-m3-"));
  expect(own.length).toBeLessThanOrEqual(2);
  expect((await copies()).filter(({ observed }) => observed?.standby)).toMatchObject([{ machine: "m3" }]);
  // A deploy of a manifest without standbys keeps it.
  await deploy("v2");
  expect((await standby())?.machine).toBe("m3");
  await cluster.ctl(1, ["migrate", "prod/ledger", "--to", "m3"]);
  await caughtUp("m2 has the second copy");
  expect(await standby()).toMatchObject({ machine: "m2", state: "current" });
  await cluster.ctl(1, ["migrate", "prod/ledger", "--to", "m2"]);
  await caughtUp("m3 has the second copy again");
  const { acknowledged, failures } = await writes.end();
  expect(failures).toEqual([]);
  expect(lost(acknowledged, await rowsOf(cluster, 1))).toEqual([]);
}, 600_000);

it("a dead machine: the standby serves every row of its last copy, and the old one is no second writer when it is back", async () => {
  const asked = ["migrate", "prod/ledger", "--to", "m3", "--from-standby"];
  const alive = await cluster.ctl(1, asked, { ok: [3] });
  expect(alive.stderr).toContain("m2 answers");
  const early = await writer(cluster, 1, undefined, 10, 1_000_000);
  await caughtUp("the standby has rows of this test");
  const sure = (await early.end()).acknowledged;
  await caughtUp("the standby has all of them");
  await cluster.ctl(1, ["schedule", "pause", "prod/data.standby-m3"]);
  const late = await writer(cluster, 1, undefined, 10, 2_000_000);
  await within("rows that the standby does not get", 20_000, async () =>
    (await rowsOf(cluster, 1)).filter((n) => n >= 2_000_000).length > 20 ? true : undefined,
  );
  const given = (await late.end()).acknowledged;
  await cluster.lab.cut(2);
  const cutAt = performance.now();
  await within("m2 is missed", 60_000, async () => {
    const plan = await cluster.ctl(1, [...asked, "-n"], { ok: [3] });
    return plan.stdout.includes("--accept-loss prod/data") ? true : undefined;
  });
  await cluster.ctl(1, [...asked, "--accept-loss", "prod/data"]);
  console.log(`power cut to serving: ${Math.round(performance.now() - cutAt)} ms`);
  const rows = await rowsOf(cluster, 1);
  expect(lost(sure, rows)).toEqual([]);
  expect(rows.filter((n) => n >= 2_000_000)).toEqual([]);
  await using writes = await writer(cluster, 1, undefined, 10, 3_000_000);

  await cluster.lab.on(2);
  await daemonUp(cluster, 2);
  await within("the old copy is retired", 60_000, async () => {
    const old = (await copies()).find(({ machine }) => machine === "m2");
    return old?.state === "retired" ? true : undefined;
  });
  const { stdout } = await cluster.ctl(2, ["ps", "--json"]);
  const { instances } = JSON.parse(stdout) as { instances: { machine: string; service: string }[] };
  expect(instances.filter(({ service }) => service === "ledger").map(({ machine }) => machine)).toEqual([
    "m3",
  ]);
  const left = (await snapshots()).find(({ name, machine }) => machine === "m2" && name.startsWith("left-"));
  await cluster.ctl(1, ["volume", "fork", "prod/data", "check/data", "--snapshot", left?.name ?? ""]);
  const checking = ledgerManifest({ namespace: "check" }).replaceAll(".example.test", ".check.test");
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, checking, ledgerBundles)]);
  expect(lost([...sure, ...given], await rowsOf(cluster, 1, "ledger.check.test"))).toEqual([]);
  const { acknowledged, failures } = await writes.end();
  expect(failures).toEqual([]);
  expect(lost(acknowledged, await rowsOf(cluster, 1))).toEqual([]);
}, 600_000);
