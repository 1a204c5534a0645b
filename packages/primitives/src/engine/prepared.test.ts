import { expect, test } from "vitest";
import { deployPrimitive } from "../deploy/index.ts";
import type { DeployRequest } from "../deploy/input.ts";
import { deploy, emptyWorld, manifestInput, service, type World } from "../testing/scenarios/change.ts";
import type { EngineDeps, RunRequest } from "./deps.ts";
import { findPrepared, PREPARED_MS } from "./prepared.ts";
import { runOperation } from "./run.ts";

const WEB = service("web", 1);

function run(world: World, request: RunRequest<DeployRequest>) {
  world.count += 1;
  const id = `01J0000000000000BBBB${String(world.count).padStart(6, "0")}`;
  const deps: EngineDeps = {
    ports: world.ports,
    clock: world.clock,
    ids: { newOperationId: () => id },
    self: { machine: "m1", by: "root@m1" },
    generation: () => 1,
    emit: () => {},
    signal: new AbortController().signal,
    primitives: world.primitives,
  };
  return runOperation(deployPrimitive, request, deps);
}

async function prepare(world: World) {
  const view = await run(world, { input: manifestInput(WEB), mode: "prepare" });
  if (view.kind !== "plan" || view.prepared === undefined) throw new Error(JSON.stringify(view));
  const { id } = view.prepared;
  const { hash, input } = await findPrepared(world.ports.store, id, world.clock.now());
  const kept = input as DeployRequest;
  return { id, apply: () => run(world, { input: kept, mode: "apply", prepared: { id, hash } }) };
}

test("a prepared plan is applied under its own operation id", async () => {
  const world = await emptyWorld();
  const prepared = await prepare(world);
  expect(world.memory.all.flatMap(({ effects }) => effects)).toEqual([]);
  expect(await prepared.apply()).toMatchObject({ state: "done", operation: prepared.id, changed: true });
});

test("when something else would be done now, nothing is", async () => {
  const world = await emptyWorld();
  const prepared = await prepare(world);
  await deploy(world, service("web", 2));
  const effects = world.memory.all.flatMap((machine) => machine.effects).length;
  expect(await prepared.apply()).toMatchObject({ kind: "refused", refusals: [{ code: "prepared_stale" }] });
  expect(world.memory.all.flatMap((machine) => machine.effects).length).toBe(effects);
});

test("a plan that has expired, or was never prepared, is refused", async () => {
  const world = await emptyWorld();
  const { id } = await prepare(world);
  const { store } = world.ports;
  const later = world.clock.now() + PREPARED_MS;
  await expect(findPrepared(store, id, later)).rejects.toMatchObject({ code: "prepared_expired" });
  await expect(findPrepared(store, "../x", 0)).rejects.toMatchObject({ code: "prepared_unknown" });
});

test("nothing to do is nothing to keep", async () => {
  const world = await emptyWorld();
  await deploy(world, WEB);
  const view = await run(world, { input: manifestInput(WEB), mode: "prepare" });
  expect(view).toMatchObject({ kind: "plan", changes: false });
  expect(await world.ports.store.facts.list("prepared")).toEqual([]);
});
