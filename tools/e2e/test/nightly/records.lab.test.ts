import type { ClusterStatus, DoctorReport, InstanceList } from "@ployz/primitives/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { publishRecord } from "../../src/store.ts";
import { within } from "../../src/survive.ts";

/** One cluster through it all. m2 publishes what no version of Ployz writes; the store is on m1. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 2 });
  await deploy(1, "prod", "v1");
  await deploy(1, "shop", "v1");
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const deploy = async (i: number, namespace: string, version: string, ok: readonly number[] = [0]) => {
  const manifest = webManifest({ namespace, version, replicas: 2, host: `${namespace}.test` });
  const file = await cluster.put(i, manifest, webBundle);
  return cluster.ctl(i, ["deploy", "-f", file, "--json"], { ok });
};
const warned = async (i: number, record: string) =>
  (await cluster.json<ClusterStatus>(i, ["status"])).warnings.filter(({ message }) =>
    message.startsWith(`${record} `),
  );
const serves = async (namespace: string, version: string) => {
  for (const i of [1, 2])
    await within(`${namespace} ${version} through m${i}`, 10_000, async () => {
      const { status, body } = await cluster.get(i, `${namespace}.test`);
      return status === 200 && body.includes(version) ? true : undefined;
    });
};

const BAD = [
  ["an empty object", {}],
  ["a newer version's", { change: { v: 99, services: "of another kind" } }],
  ["an instance with a wrong address", { change: { instances: [{ id: "x", address: "10.101.1.300" }] } }],
] as const;

describe.each(BAD)("a commit that is %s", (name, value) => {
  const newer = name.startsWith("a newer");
  let round = BAD.findIndex(([one]) => one === name) * 2 + 2;

  it("stops nothing else, and is named", async () => {
    await publishRecord(cluster, 2, "commit.prod", value);
    for (const i of [1, 2]) {
      const [warning] = await within(`m${i} names it`, 10_000, async () => {
        const found = await warned(i, "commit.prod");
        return found.length > 0 ? found : undefined;
      });
      expect(warning?.hint).toContain(newer ? "machine update" : "ployzctl namespace repair prod");
    }
    const { checks } = await cluster.json<DoctorReport>(2, ["doctor"], { ok: [0, 1, 3] });
    expect(checks.find(({ id }) => id === "records")).toMatchObject({ state: "fail" });
    const { instances, warnings } = await cluster.json<InstanceList>(2, ["ps", "prod"]);
    expect(instances.map(({ state }) => state)).toEqual(["running", "running"]);
    expect(warnings?.[0]?.message).toContain("commit.prod");
    await serves("prod", "v1");
    await deploy(2, "shop", `v${round}`);
    await serves("shop", `v${round}`);
    const refused = await deploy(1, "prod", "v9", [3]);
    expect(refused.stdout).toContain("commit.prod");
  });

  it("stops nothing when every process of Ployz starts again", async () => {
    for (const i of [1, 2]) await cluster.ctl(i, ["daemon", "install"]);
    await serves("prod", "v1");
    const { instances } = await cluster.json<InstanceList>(1, ["ps", "prod"]);
    expect(instances.map(({ state }) => state)).toEqual(["running", "running"]);
    round += 1;
    await deploy(1, "shop", `v${round}`);
    await serves("shop", `v${round}`);
  });

  it("is repaired by one command, which restarts nothing", async () => {
    const started = async () =>
      (await cluster.json<InstanceList>(1, ["ps", "prod"])).instances.map(({ id, observed }) => [
        id,
        observed?.startedAt,
      ]);
    const before = await started();
    if (newer) await cluster.ctl(1, ["namespace", "repair", "prod"], { ok: [3] });
    await cluster.ctl(1, ["namespace", "repair", "prod", ...(newer ? ["--replace-newer"] : [])]);
    await within("no warning is left", 10_000, async () =>
      (await warned(2, "commit.prod")).length === 0 ? true : undefined,
    );
    expect(await started()).toEqual(before);
    await deploy(1, "prod", "v1");
    await serves("prod", "v1");
  });
});

it("a machine's record that cannot be read is named and repaired", async () => {
  await publishRecord(cluster, 2, "fact.machine.m2", { id: "m2" });
  await within("m1 names it", 10_000, async () =>
    (await warned(1, "fact.machine.m2")).length > 0 ? true : undefined,
  );
  await serves("prod", "v1");
  // Instances of shop are on m2, which must not pass for a machine that has left.
  expect((await deploy(1, "shop", "v20", [3])).stdout).toContain("ployzctl store repair fact.machine.m2");
  await cluster.ctl(1, ["store", "repair", "fact.machine.m2"]);
  await within("no warning is left", 10_000, async () =>
    (await warned(1, "fact.machine.m2")).length === 0 ? true : undefined,
  );
  await deploy(2, "shop", "v21");
  await serves("shop", "v21");
});
