import { expect, test } from "vitest";
import { branch } from "../branch/index.ts";
import { standbyOf } from "../model/standby.ts";
import { namespaceRm } from "../namespace-rm/index.ts";
import { promote } from "../promote/index.ts";
import { rollback } from "../rollback/index.ts";
import { restart } from "../services/index.ts";
import { apply, deploy, headOf, shop, type World, worldWithShop } from "../testing/scenarios/change.ts";
import { volumeRestore } from "../volume-restore/index.ts";
import { volumeSnapshot } from "../volume-snapshot/index.ts";
import { volumeStandbyAdd } from "../volume-standby-add/index.ts";
import { volumeStandbySync } from "./index.ts";

const volume = { namespace: "prod", volume: "data" };

/** The shop's database, with a standby on another machine that has received everything. */
async function world(): Promise<World & { readonly to: string }> {
  const made = await worldWithShop(["m1", "m2"]);
  const [data] = (await headOf(made)).volumes;
  const to = data?.machine === "m1" ? "m2" : "m1";
  expect(await apply(made, volumeStandbyAdd, { ...volume, machine: to })).toMatchObject({ changed: true });
  const world = Object.assign(made, { to });
  await synced(world);
  return world;
}
const sync = (made: World & { readonly to: string }) =>
  apply(made, volumeStandbySync, { ...volume, machine: made.to });
const all = ({ memory }: World) =>
  memory.all.flatMap(({ id: machine, volumes }) =>
    [...volumes.values()].map((copy) => ({ ...copy, machine })),
  );

/** The standby receives the committed volume: it has its content, and each side has one snapshot for it. */
async function synced(made: World & { readonly to: string }): Promise<void> {
  expect(await sync(made)).toMatchObject({ state: "done", owed: [] });
  const [head] = (await headOf(made)).volumes;
  expect(head?.spec.standby?.machines).toEqual([made.to]);
  const active = all(made).find(({ id, machine }) => id === head?.id && machine === head?.machine);
  const standbys = all(made).filter(({ standby }) => standby !== undefined);
  expect(standbys).toMatchObject([{ machine: made.to, state: "retired", content: active?.content }]);
  // Retired copies of earlier volumes go with what they have.
  const own = (copy: ReturnType<typeof all>[number]) => [...copy.snapshots.keys()].filter(standbyOf).length;
  expect([active, ...standbys].map((copy) => copy && own(copy))).toEqual([1, 1]);
  expect(Math.max(...all(made).map(own))).toBe(1);
}

test("after a rollback of data the standby has what the volume went back to", async () => {
  const made = await world();
  await deploy(made, shop(2));
  await synced(made);
  const before = await headOf(made);
  expect(await apply(made, rollback, { namespace: "prod", volumes: "all" })).toMatchObject({ state: "done" });
  expect((await headOf(made)).volumes[0]?.id).not.toBe(before.volumes[0]?.id);
  await synced(made);
});

test("after a restore the standby has the restored data", async () => {
  const made = await world();
  expect(await apply(made, volumeSnapshot, { ...volume, name: "good" })).toMatchObject({ changed: true });
  await apply(made, restart, { namespace: "prod", services: ["db"] });
  await synced(made);
  expect(await apply(made, volumeRestore, { ...volume, snapshot: "good" })).toMatchObject({ state: "done" });
  await synced(made);
});

test("after a promotion with data the standby has the branch's, and the branch had no standby", async () => {
  const made = await world();
  expect(await apply(made, branch, { source: "prod", target: "check" })).toMatchObject({ state: "done" });
  const { volumes } = await headOf(made, "check");
  expect(volumes[0]?.spec.standby).toBeUndefined();
  await apply(made, restart, { namespace: "check", services: ["db"] });
  const replaced = { source: "check", target: "prod", volumes: { data: "replace" } };
  expect(await apply(made, promote, replaced)).toMatchObject({ state: "done" });
  await synced(made);
});

test("a namespace that is removed leaves no standby: its copies are retired, and go as such", async () => {
  const made = await world();
  expect(await apply(made, namespaceRm, { namespace: "prod" })).toMatchObject({ state: "done", owed: [] });
  expect(all(made).filter(({ standby }) => standby !== undefined)).toEqual([]);
  expect(all(made).filter(({ state }) => state !== "retired")).toEqual([]);
  expect(await sync(made)).toMatchObject({ refusals: [{ code: "no_such_namespace" }] });
});
