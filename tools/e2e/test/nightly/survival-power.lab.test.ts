import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { answers, daemonUp, type Instances, type Status, storeConnected, within } from "../../src/survive.ts";

/** Power cuts: of a machine, of all at once, and of the one that holds the store. */
let cluster: Cluster;
const manifest = (version: string) => cluster.put(1, webManifest({ version }), webBundle);
const ps = (i: number) => cluster.json<Instances>(i, ["ps"]);
const places = ({ instances }: Instances) =>
  instances.map(({ id, machine, address }) => [id, machine, address]).sort();

beforeAll(async () => {
  cluster = await openCluster({ machines: 4, members: 3 });
  await cluster.ctl(1, ["deploy", "-f", await manifest("v1")]);
  expect(new Set((await ps(1)).instances.map(({ machine }) => machine))).toEqual(new Set(["m1", "m2", "m3"]));
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("all machines lose power and only m2 comes back: it serves its own instances, reports missing ones, and changes nothing", async () => {
  const { lab } = cluster;
  const before = await ps(1);
  await Promise.all([1, 2, 3].map((i) => lab.cut(i)));
  await lab.on(2);
  const { adoption, services } = await daemonUp(cluster, 2);
  const own = before.instances.filter(({ machine }) => machine === "m2");
  expect(adoption.recreated.map(({ what }) => what)).toEqual(own.map(({ id }) => id));
  expect(adoption.adopted).toEqual([]);
  expect(services.map(({ name, state }) => [name, state])).toEqual(
    ["ployz-dns", "ployz-gateway", "ployz-haproxy", "ployz-wireguard", "ployzd"].map((name) => [
      name,
      "running",
    ]),
  );
  const alone = await within("m2 serves its own instance without any store", 15_000, () =>
    answers(cluster, 2),
  );
  expect(alone.addresses).toEqual(own.map(({ address }) => address));
  const names = await within("m2's DNS answers without any store", 15_000, async () => {
    const { stdout } = await lab.sh(2, [
      "dig",
      "+short",
      "+time=1",
      "+tries=1",
      `@${(own[0]?.address ?? "").replace(/\.\d+$/, ".1")}`,
      "web.prod.cluster.local",
    ]);
    return stdout.trim().split("\n").sort();
  });
  expect(names).toEqual(before.instances.map(({ address }) => address).sort());

  const status = await cluster.json<Status>(2, ["status"]);
  expect(status.store.state).toBe("unreachable");
  expect(status.warnings[0]?.message).toMatch(/^the store on m1 does not answer: changes are refused/);
  const seen = await ps(2);
  expect(seen.instances.map(({ machine, state }) => [machine, state]).sort()).toEqual([
    ["m1", "unknown"],
    ["m2", "running"],
    ["m3", "unknown"],
  ]);
  expect(seen.unreachable).toEqual(["m1", "m3"]);
  expect((await cluster.ctl(2, ["logs", "prod/web"])).stdout).toContain("v1 starting");
  expect((await cluster.ctl(2, ["doctor"], { ok: [3] })).stdout).toMatch(/^fail +store/m);

  const file = await cluster.put(2, webManifest({ version: "v2" }), webBundle);
  const asked = performance.now();
  const refused = await cluster.json<{ error: { code: string } }>(2, ["deploy", "-f", file], { ok: [4] });
  expect(refused.error.code).toBe("store_unavailable");
  expect(performance.now() - asked).toBeLessThan(10_000);
  expect(places(await ps(2))).toEqual(places(before));

  await lab.on(3);
  const two = await within(
    "m2's gateway serves m3's instance too, still without a store",
    15_000,
    async () => {
      const found = await answers(cluster, 2);
      return found.addresses.length === 2 ? found : undefined;
    },
  );
  expect(two.versions).toEqual(["v1"]);

  await lab.on(1);
  await Promise.all([1, 2, 3].map((i) => storeConnected(cluster, i)));
  expect(places(await ps(2))).toEqual(places(before));
  // The gateway of m1 takes an instance back when its health checks say so.
  await within("m1's gateway serves all three again", 15_000, async () => {
    const { addresses } = await answers(cluster, 1);
    return addresses.length === 3 ? true : undefined;
  });
});

it("a machine that was off during a deploy and a machine add follows both when it is back", async () => {
  const { lab } = cluster;
  await lab.cut(3);
  const gone = await within("m1 sees that m3 is away", 15_000, async () => {
    const list = await ps(1);
    return list.unreachable.length === 1 ? list : undefined;
  });
  expect(gone.instances.find(({ machine }) => machine === "m3")?.state).toBe("unknown");
  const told = await cluster.ctl(1, ["deploy", "-f", await manifest("v2")]);
  expect(told.stderr).toMatch(/warning: .*m3 does not answer/);
  const after = await ps(1);
  expect(after.instances.map(({ machine }) => machine).sort()).not.toContain("m3");
  expect(after.instances.map(({ state }) => state)).toEqual(["running", "running", "running"]);
  await cluster.ctl(
    1,
    ["machine", "add", "root@m4", "--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"],
    {
      timeoutMs: 180_000,
    },
  );

  await lab.on(3);
  await daemonUp(cluster, 3);
  await storeConnected(cluster, 3);
  await within("m3 reaches m4, which it had never heard of", 15_000, async () => {
    await lab.sh(3, ["ping", "-c1", "-W1", "10.101.4.1"]);
    return true as const;
  });
  await within("m3's gateway serves the version deployed meanwhile", 15_000, async () =>
    (await answers(cluster, 3)).versions.join() === "v2" ? (true as const) : undefined,
  );
  // What it had started again from its own disk is not committed any more.
  await within("m3 has removed its old instance", 15_000, async () =>
    (await ps(3)).instances.every(({ committed, machine }) => committed && machine !== "m3")
      ? (true as const)
      : undefined,
  );
});

it("the store's machine loses power in the middle of a deploy: no false success, and the same command finishes", async () => {
  const { lab } = cluster;
  const before = await ps(1);
  const { versions: present } = await answers(cluster, 2);
  const slow = webManifest({ version: "v3", env: { START_MS: "6000" } });
  const file = await cluster.put(2, slow, webBundle);
  const deploying = cluster.ctl(2, ["deploy", "-f", file, "--json"], {
    ok: [0, 1, 3, 4, 5],
    timeoutMs: 110_000,
  });
  await within("candidates run on m1", 20_000, async () =>
    (await ps(1)).instances.some(({ committed }) => !committed) ? (true as const) : undefined,
  );
  await lab.cut(1);
  const { exitCode, stdout } = await deploying;
  expect([1, 4]).toContain(exitCode);
  console.log(`the deploy ended with ${exitCode}: ${stdout.slice(0, 400)}`);
  expect((await answers(cluster, 2)).versions).toEqual(present);

  await lab.on(1);
  await daemonUp(cluster, 1);
  await Promise.all([1, 2, 3].map((i) => storeConnected(cluster, i)));
  expect(places(await ps(1)).filter(([id]) => before.instances.some((row) => row.id === id))).toEqual(
    places(before),
  );
  await cluster.ctl(3, ["deploy", "-f", await cluster.put(3, slow, webBundle)]);
  const after = await ps(1);
  expect(after.instances.map(({ committed, state }) => [committed, state])).toEqual([
    [true, "running"],
    [true, "running"],
    [true, "running"],
  ]);
  for (const i of [1, 2, 3]) expect((await answers(cluster, i)).versions).toEqual(["v3"]);
});
