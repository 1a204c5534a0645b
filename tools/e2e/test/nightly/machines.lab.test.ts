import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { leftovers } from "../../src/leftovers.ts";
import { answers, daemonUp, HOST, type Instances, type Status, within } from "../../src/survive.ts";
import { gatewayTraffic, nothingLost } from "../../src/traffic.ts";

/** Machines go: drained, removed from themselves, and by force. */
let cluster: Cluster;
const ADD = ["--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"];

type Machines = {
  readonly machines: readonly { readonly record: { readonly id: string }; readonly lifecycle: string }[];
};
type Result = {
  readonly state: string;
  readonly changed: boolean;
  readonly output: {
    readonly forced?: boolean;
    readonly cleaned?: boolean;
    readonly namespaces: readonly unknown[];
  };
};
const lifecycles = async (i: number) =>
  (await cluster.json<Machines>(i, ["machine", "ls"])).machines.map(({ record, lifecycle }) => [
    record.id,
    lifecycle,
  ]);
const places = async (i: number) =>
  (await cluster.json<Instances>(i, ["ps"])).instances
    .map(({ machine, state }) => `${machine} ${state}`)
    .sort();
const peers = async (i: number) =>
  (await cluster.lab.sh(i, ["wg", "show", "ployz-wg0", "allowed-ips"])).stdout
    .match(/10\.101\.\d+\.0/g)
    ?.sort();
const deploy = async (version: string, replicas: number) =>
  cluster.ctl(1, ["deploy", "-f", await cluster.put(1, webManifest({ version, replicas }), webBundle)]);

beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  await deploy("v1", 3);
  expect(await places(1)).toEqual(["m1 running", "m2 running", "m3 running"]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("drain --migrate empties a machine under load without a failed request, and nothing comes back to it", async () => {
  const preview = await cluster.ctl(3, ["machine", "drain", "m2", "--migrate", "-n"]);
  expect(preview.stdout).toMatch(/prod\/web\.\d: m2 -> m[13]/);
  expect(await lifecycles(1)).toEqual([
    ["m1", "active"],
    ["m2", "active"],
    ["m3", "active"],
  ]);
  await using traffic = gatewayTraffic(cluster.lab, HOST);
  const drained = await cluster.json<Result>(3, ["machine", "drain", "m2", "--migrate"]);
  expect(drained).toMatchObject({ state: "done", changed: true });
  expect(await lifecycles(1)).toEqual([
    ["m1", "active"],
    ["m2", "drained"],
    ["m3", "active"],
  ]);
  const left = await places(2);
  expect(left).toHaveLength(3);
  expect(left.filter((place) => place.startsWith("m2"))).toEqual([]);
  await deploy("v2", 4);
  await nothingLost("drain --migrate and a deploy", traffic);
  expect((await places(1)).filter((place) => place.startsWith("m2"))).toEqual([]);
  // Its gateway serves on: it is a full member.
  expect((await answers(cluster, 2)).versions).toEqual(["v2"]);
  const standby = await cluster.json<Result>(2, ["machine", "standby", "m2"]);
  expect(standby).toMatchObject({ state: "done" });
  await cluster.ctl(2, ["machine", "activate", "m2"]);
  await deploy("v3", 3);
  expect(await places(1)).toEqual(["m1 running", "m2 running", "m3 running"]);
});

it("rm of a member, typed on that member: its instances move, it is clean, and it can be added again", async () => {
  await using traffic = gatewayTraffic(cluster.lab, HOST);
  const removed = await cluster.json<Result>(2, ["machine", "rm", "m2", "--yes"]);
  expect(removed).toMatchObject({ state: "done", changed: true });
  await within("m1 and m3 have removed peer m2", 10_000, async () => {
    const [one, three] = await Promise.all([peers(1), peers(3)]);
    return one?.join() === "10.101.3.0" && three?.join() === "10.101.1.0" ? true : undefined;
  });
  await nothingLost("machine rm", traffic);
  expect(await lifecycles(1)).toEqual([
    ["m1", "active"],
    ["m3", "active"],
  ]);
  expect((await places(1)).map((place) => place.split(" ")[1])).toEqual(["running", "running", "running"]);
  // The machine that left has told the result; the peer that ran the operation may still be writing its end.
  await expect
    .poll(async () => (await cluster.ctl(1, ["machine", "rm", "m2", "--yes"], { ok: [0, 3] })).exitCode, {
      timeout: 30_000,
    })
    .toBe(0);
  const again = await cluster.json<Result>(1, ["machine", "rm", "m2", "--yes"]);
  expect(again).toMatchObject({ state: "done", changed: false });
  const { operations } = await cluster.json<{ operations: { state: string; title: string }[] }>(1, [
    "ops",
    "ls",
  ]);
  expect(operations.filter(({ state }) => state !== "done")).toEqual([]);

  await cluster.ctl(2, ["daemon", "uninstall", "--purge"]);
  expect(await leftovers(cluster, 2)).toEqual([]);

  await cluster.ctl(1, ["machine", "add", "root@m2", ...ADD], { timeoutMs: 180_000 });
  await deploy("v4", 3);
  expect(await places(2)).toEqual(["m1 running", "m2 running", "m3 running"]);
});

it("rm by force of a machine without power: it is cut off, and refused when it comes back", async () => {
  await cluster.lab.cut(3);
  const asked = await cluster.json<{ error: { code: string; hint: string } }>(
    1,
    ["machine", "rm", "m3", "--yes"],
    { ok: [4] },
  );
  expect(asked.error).toMatchObject({
    code: "machine_unreachable",
    hint: expect.stringContaining("--force"),
  });
  await cluster.ctl(1, ["machine", "rm", "m2", "--force", "--yes"], { ok: [3] });
  await cluster.ctl(1, ["machine", "rm", "m3", "--force"], { ok: [2] });
  const removed = await cluster.json<Result>(2, ["machine", "rm", "m3", "--force", "--yes"]);
  expect(removed).toMatchObject({ state: "done", output: { forced: true } });
  expect((await places(1)).map((place) => place.split(" ")[1])).toEqual(["running", "running", "running"]);
  expect(await peers(1)).toEqual(["10.101.2.0"]);

  await cluster.lab.on(3);
  await daemonUp(cluster, 3);
  const refused = await cluster.json<{ error: { code: string } }>(
    3,
    ["deploy", "-f", await cluster.put(3, webManifest({ version: "v5" }), webBundle)],
    { ok: [4] },
  );
  expect(refused.error.code).toBe("store_unavailable");
  const { warnings } = await cluster.json<Status>(3, ["status"]);
  expect(warnings.map(({ message }) => message).join("\n")).toContain("was removed from the cluster");
  expect(await peers(1)).toEqual(["10.101.2.0"]);
  expect((await answers(cluster, 1)).versions).toEqual(["v4"]);
  expect(await lifecycles(2)).toEqual([
    ["m1", "active"],
    ["m2", "active"],
  ]);
  await cluster.ctl(3, ["mesh", "leave"]);
  await cluster.ctl(1, ["machine", "add", "root@m3", ...ADD], { timeoutMs: 180_000 });
  expect(await lifecycles(3)).toHaveLength(3);
});
