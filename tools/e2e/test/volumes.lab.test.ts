import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../src/cluster.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 2, volumes: true });
}, 300_000);
afterAll(() => cluster[Symbol.asyncDispose]());

interface Doctor {
  readonly checks: readonly { readonly id: string; readonly state: string; readonly found: string }[];
}
interface Machines {
  readonly machines: readonly { readonly observation?: { readonly storage?: { readonly root: string } } }[];
}

const volumesOf = async (i: number) =>
  (await cluster.json<Doctor>(i, ["doctor"], { ok: [0, 1, 3] })).checks.find(({ id }) => id === "volumes");

it("machines with a pool have volumes, also after a power cut; one whose pool is gone says so", async () => {
  for (const i of [1, 2]) expect(await volumesOf(i)).toMatchObject({ state: "ok", found: "tank/ployz" });
  const { machines } = await cluster.json<Machines>(1, ["machine", "ls"]);
  expect(machines.map(({ observation }) => observation?.storage?.root)).toEqual(["tank/ployz", "tank/ployz"]);
  await cluster.lab.cut(2);
  await cluster.lab.on(2);
  await expect
    .poll(() => volumesOf(2).catch(() => undefined), { timeout: 60_000 })
    .toMatchObject({ state: "ok" });
  await cluster.lab.sh(2, ["sh", "-c", "zpool export tank && rm /var/lib/tank.img"]);
  await cluster.lab.sh(2, ["ployzctl", "daemon", "stop"]);
  await cluster.lab.sh(2, ["ployzctl", "daemon", "start"]);
  await expect
    .poll(() => volumesOf(2).catch(() => undefined), { timeout: 60_000 })
    .toMatchObject({ state: "fail", found: expect.stringContaining("tank") });
  const { warnings } = await cluster.json<{ warnings: { message: string }[] }>(1, ["status"]);
  expect(warnings.map(({ message }) => message)).toContainEqual(expect.stringMatching(/^m2: no volumes/));
}, 300_000);
