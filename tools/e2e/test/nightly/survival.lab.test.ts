import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import {
  daemonStatus,
  daemonUp,
  dataPlane,
  HOST,
  type Instances,
  killService,
  pids,
  within,
} from "../../src/survive.ts";

/** Processes to kill, on the machine that runs all of them, and the processes that die with them. */
let cluster: Cluster;

beforeAll(async () => {
  cluster = await openCluster({ machines: 2 });
  const file = await cluster.put(1, webManifest({ replicas: 2 }), webBundle);
  await cluster.ctl(1, ["deploy", "-f", file]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("kill -9 of the daemons, at rest and under requests: nothing else notices, and they adopt what runs", async () => {
  const before = await Promise.all([1, 2].map((i) => dataPlane(cluster, i)));
  const { instances } = await cluster.json<Instances>(1, ["ps"]);
  const load = cluster.lab.load(`http://${cluster.lab.addresses[0]}/`, {
    host: HOST,
    rate: 50,
    seconds: 60,
    timeoutMs: 20_000,
    until: AbortSignal.timeout(8_000),
  });
  for (let round = 0; round < 2; round++) {
    await Promise.all(
      [1, 2].map(async (i) => {
        const { pid } = await daemonStatus(cluster, i);
        await cluster.lab.sh(i, ["kill", "-9", String(pid)]);
        const { adoption } = await daemonUp(cluster, i, pid);
        expect(adoption).toMatchObject({
          adopted: instances.filter(({ machine }) => machine === `m${i}`).map(({ id }) => id),
          recreated: [],
          removed: [],
          failed: [],
        });
      }),
    );
  }
  const { sent, ok, failures } = await load;
  expect({ failures, ok }).toEqual({ failures: [], ok: sent });
  expect(await Promise.all([1, 2].map((i) => dataPlane(cluster, i)))).toEqual(before);
});

it("an instance that died with its supervisor while the daemon was away is started again, and the report says which", async () => {
  const { instances } = await cluster.json<Instances>(1, ["ps"]);
  const victim = instances.find(({ machine }) => machine === "m2");
  await cluster.ctl(2, ["daemon", "stop"]);
  const doomed = [
    ...(await pids(cluster, 2, victim?.id ?? "none")),
    ...(await pids(cluster, 2, "server.mjs")),
  ];
  expect(doomed.length).toBeGreaterThan(1);
  await cluster.lab.sh(2, ["kill", "-9", ...doomed], { okExitCodes: [0, 1] });
  await cluster.ctl(2, ["daemon", "start"]);
  const { adoption } = await daemonUp(cluster, 2);
  expect(adoption.recreated.map(({ what }) => what)).toEqual([victim?.id]);
  expect(adoption.adopted).toEqual([]);
  expect((await cluster.ctl(2, ["daemon", "status"])).stdout).toContain(`recreated ${victim?.id}`);
  const again = await cluster.json<Instances>(1, ["ps"]);
  expect(again.instances.map(({ id, address, state }) => [id, address, state])).toEqual(
    instances.map(({ id, address }) => [id, address, "running"]),
  );
});

// The bound is for a busy test host: supervisors wait a second at most, and each time is printed.
it.each([
  ["ployz-wireguard", 2],
  ["ployz-haproxy", 2],
  ["ployz-gateway", 2],
  ["ployz-dns", 2],
  ["ployz-nats", 1],
] as const)("kill -9 of %s on m%i: it is back by itself", async (name, i) => {
  await killService(cluster, i, name);
  await within(`after ${name} was killed, all is as before`, 10_000, async () => {
    const [{ ok, checks }, dig, { status }] = await Promise.all([
      cluster.json<{ ok: boolean; checks: { id: string; state: string }[] }>(i, ["doctor"], { ok: [0, 3] }),
      cluster.lab.sh(i, ["dig", "+short", "+time=1", "+tries=1", `@10.101.${i}.1`, "web.prod.cluster.local"]),
      cluster.get(i, HOST),
      cluster.lab.sh(2, ["ping", "-c1", "-W1", "10.101.1.1"]),
      cluster.lab.sh(1, ["ping", "-c1", "-W1", "10.101.2.1"]),
    ]);
    const whole = ok && checks.every(({ id, state }) => id !== "store" || state === "ok");
    return whole && dig.stdout.trim().split("\n").length === 2 && status === 200 ? true : undefined;
  });
  // It is the same cluster: an operation runs over what came back.
  const { instances } = await cluster.json<Instances>(i, ["ps"]);
  expect(instances.map(({ state }) => state)).toEqual(["running", "running"]);
});
