import { PloyzError } from "@ployz/errors";
import { describe, expect, test } from "vitest";
import type { EngineDeps } from "../engine/deps.ts";
import { runOperation } from "../engine/run.ts";
import type { Json } from "../model/json.ts";
import type { Store } from "../ports/store.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import { emptyWorld, manifestInput, type World } from "../testing/scenarios/change.ts";
import { deployPrimitive } from "./index.ts";

const inputOf = (toml: string) => manifestInput(toml);

async function deploy(world: World, toml: string, operation: string, more: Partial<EngineDeps> = {}) {
  return runOperation(
    deployPrimitive,
    { input: inputOf(toml), mode: "apply" },
    {
      ports: world.ports,
      clock: world.clock,
      ids: { newOperationId: () => operation },
      self: { machine: "m1", by: "root@m1" },
      generation: () => 1,
      emit: () => {},
      signal: new AbortController().signal,
      ...more,
    },
  );
}

/** Running, reserved and committed instances, without their machines: `web.1 v2 running`. */
async function inspect({ memory, ports }: World): Promise<Json> {
  const instances = memory.all.flatMap(({ instances }) => [...instances.values()]);
  const last = await ports.store.commits.last("prod");
  const commit = last?.value;
  const named = (start: { service: string; slot: number; env: Readonly<Record<string, string>> }) =>
    `${start.service}.${start.slot} v${start.env.V ?? "0"}`;
  return {
    runs: instances.map(({ start, state }) => `${named(start)} ${state}`).sort(),
    reserved: memory.all
      .flatMap(({ reservations }) =>
        [...reservations.keys()].map((id) => id.split(".").slice(1, 3).join(".")),
      )
      .sort(),
    committed: (commit?.instances ?? []).map(({ id, service, slot, machine, address }) => {
      const one = memory.machine(machine).instances.get(id);
      const matches = one !== undefined && one.start.address === address;
      return `${matches ? named(one.start) : `${service}.${slot} MISSING`}`;
    }),
    jobs: Object.keys(commit?.jobs ?? {}),
    routes: (commit?.routes ?? []).map(({ service }) => service),
  };
}

const service = (name: string, v: number, more = "") =>
  `[services.${name}]\nbundle = "./x"\ncommand = ["x"]\nenv = { V = "${v}" }\nports = { http = 80 }\n${more}\n`;
const job = (v: number) => `[jobs.migrate]\nbundle = "./x"\ncommand = ["x"]\nenv = { V = "${v}" }\n`;
const V1 =
  service("web", 1, 'replicas = 2\nroutes = [{ host = "a.b" }]\nafter = ["migrate"]') +
  service("db", 1, 'update = "stop-first"') +
  service("gone", 1) +
  job(1);
const V2 =
  service("web", 2, 'replicas = 1\nroutes = [{ host = "a.b" }, { tcp = 9000 }]\nafter = ["migrate"]') +
  service("db", 2, 'update = "stop-first"') +
  job(2);
const OLD = "01J00000000000000000ZZZZZ1";
const NEW = "01J00000000000000000ZZZZZ2";

async function worldWithV1(): Promise<World> {
  const world = await emptyWorld();
  const outcome = await deploy(world, V1, OLD);
  expect(outcome).toMatchObject({ kind: "operation", state: "done" });
  return world;
}

const V1_STATE = {
  runs: ["db.1 v1 running", "gone.1 v1 running", "web.1 v1 running", "web.2 v1 running"],
  reserved: ["db.1", "gone.1", "web.1", "web.2"],
  committed: ["db.1 v1", "gone.1 v1", "web.1 v1", "web.2 v1"],
  jobs: ["migrate"],
  routes: ["web"],
};

describe("on machines in memory", () => {
  test("a first deploy runs the manifest's services, and no more", async () => {
    expect(await inspect(await worldWithV1())).toEqual(V1_STATE);
  });

  test("the next one flips all of it: scaled down, stopped first, removed", async () => {
    const world = await worldWithV1();
    const outcome = await deploy(world, V2, NEW);
    expect(outcome).toMatchObject({
      state: "done",
      changed: true,
      owed: [],
      output: { kind: "deploy", warnings: [] },
    });
    expect(await inspect(world)).toEqual({
      runs: ["db.1 v2 running", "web.1 v2 running"],
      reserved: ["db.1", "web.1"],
      committed: ["db.1 v2", "web.1 v2"],
      jobs: ["migrate"],
      routes: ["web", "web"],
    });
  });

  test("the same manifest twice changes nothing", async () => {
    const world = await worldWithV1();
    const effects = world.memory.all.flatMap((machine) => machine.effects).length;
    expect(await deploy(world, V1, NEW)).toMatchObject({ state: "done", changed: false });
    expect(world.memory.all.flatMap((machine) => machine.effects).length).toBe(effects);
    expect((await world.ports.store.commits.last("prod"))?.value.operation).toBe(OLD);
  });

  test.each([
    ["never becomes ready", V2.replace('V = "2"', 'V = "2", FAIL = "never"'), "not_ready"],
    ["exits at once", V2.replace('V = "2"', 'V = "2", FAIL = "exits"'), "instance_exited"],
    ["has a job that fails", V2.replace(job(2), job(2).replace('V = "2"', 'FAIL = "job"')), "job_failed"],
    [
      "fails in what stopped first",
      V2.replace(
        service("db", 2, 'update = "stop-first"'),
        service("db", 2, 'update = "stop-first"').replace('V = "2"', 'FAIL = "exits"'),
      ),
      "instance_exited",
    ],
  ])("a version that %s leaves the old one as it was, and says why", async (_what, toml, code) => {
    const world = await worldWithV1();
    const outcome = await deploy(world, toml, NEW);
    expect(outcome).toMatchObject({ state: "failed", owed: [] });
    if (outcome.kind !== "operation") return;
    expect(outcome.error).toMatchObject({
      code,
      machine: expect.stringMatching(/^m\d$/),
      step: expect.any(String),
      details: { logs: ["starting", "cannot bind: address in use"] },
    });
    expect(await inspect(world)).toEqual(V1_STATE);
  });

  test("instances that are dead are replaced; the others are not touched", async () => {
    const world = await worldWithV1();
    const machine = world.memory.all.find(({ instances }) =>
      [...instances.keys()].some((id) => id.includes(".web.1.")),
    );
    const id = [...(machine?.instances.keys() ?? [])].find((one) => one.includes(".web.1.")) ?? "";
    machine?.instances.delete(id);
    const others = () =>
      world.memory.all.flatMap((one) => [...one.instances.keys()]).filter((one) => !one.includes(".web.1."));
    const before = others();
    expect(await deploy(world, V1, NEW)).toMatchObject({ state: "done", changed: true });
    expect(await inspect(world)).toEqual(V1_STATE);
    expect(others()).toEqual(before);
  });

  test("a machine that is away gets a warning; when it is back, the next deploy removes what it still runs", async () => {
    const world = await worldWithV1();
    world.memory.machine("m2").reachable = false;
    const away = await deploy(world, V2.replace('update = "stop-first"', ""), NEW);
    expect(away).toMatchObject({ state: "done" });
    expect(JSON.stringify(away)).toContain("machine m2 does not answer");
    world.memory.machine("m2").reachable = true;
    await deploy(world, V2.replace('update = "stop-first"', ""), "01J00000000000000000ZZZZZ3");
    expect(await inspect(world)).toMatchObject({
      runs: ["db.1 v2 running", "web.1 v2 running"],
      reserved: ["db.1", "web.1"],
    });
  });

  test("a machine that stands still while its gateway should follow is a warning", async () => {
    const world = await worldWithV1();
    const { clock, ports } = world;
    const machines = {
      ...ports.machines,
      call: (async (id, command, args, options) => {
        if (id !== "m2" || command !== "publish.await")
          return ports.machines.call(id, command, args, options);
        await clock.sleep(options.timeoutMs, options.signal);
        throw new PloyzError({ code: "deadline_exceeded", message: "no answer from m2" });
      }) as typeof ports.machines.call,
    };
    const outcome = await deploy(world, V2, NEW, { ports: { ...ports, machines } });
    expect(outcome).toMatchObject({ state: "done", changed: true, owed: [] });
    expect(JSON.stringify(outcome)).toContain("machine m2 has not confirmed the new routes");
  });

  test("a resumed deploy does not trust the journal for candidates whose machine has rebooted since", async () => {
    const world = await emptyWorld();
    const stop = new AbortController();
    const died = new Promise<void>((resolve) => stop.signal.addEventListener("abort", () => resolve()));
    // Its daemon dies when every candidate is ready, right before the commit: the call never comes back.
    const commits = {
      ...world.ports.store.commits,
      append: () => {
        stop.abort();
        return new Promise<never>(() => {});
      },
    };
    const store = { ...world.ports.store, commits } as Store;
    void deploy(world, V1, OLD, { ports: { ...world.ports, store } }).catch(() => {});
    await died;
    for (const one of world.memory.all)
      for (const [id, { start }] of one.instances) if (start.kind === "service") one.instances.delete(id);
    for (const lease of await world.ports.store.leases.list()) await world.ports.store.leases.release(lease);
    expect(await deploy(world, V1, NEW)).toMatchObject({ state: "done", operation: OLD });
    expect(await inspect(world)).toEqual(V1_STATE);
  });

  test("a route that another namespace has is refused, and nothing is touched", async () => {
    const world = await worldWithV1();
    const outcome = await runShop(world);
    expect(outcome).toMatchObject({
      kind: "refused",
      refusals: [{ code: "route_taken", details: { owner: "prod/web" } }],
    });
    expect(await inspect(world)).toEqual(V1_STATE);
  });

  test("a bundle that no machine has is refused", async () => {
    const world = await emptyWorld();
    for (const machine of world.memory.all) machine.bundles.clear();
    expect(await deploy(world, V1, OLD)).toMatchObject({
      kind: "refused",
      refusals: [{ code: "bundle_missing" }, {}, {}, {}],
    });
  });
});

async function runShop(world: World) {
  const { manifest, bundles } = inputOf(service("web", 1, 'routes = [{ host = "a.b", path = "/" }]'));
  return runOperation(
    deployPrimitive,
    { input: { manifest, bundles, namespace: "shop" }, mode: "apply" },
    {
      ports: world.ports,
      clock: world.clock,
      ids: { newOperationId: () => NEW },
      self: { machine: "m1", by: "root@m1" },
      generation: () => 1,
      emit: () => {},
      signal: new AbortController().signal,
    },
  );
}

describe("under every fault: done, or as it was, and nothing left behind", () => {
  test("a first deploy", { timeout: 120_000 }, async () => {
    const small = service("web", 1, 'after = ["migrate"]') + job(1);
    const world = () => emptyWorld(["m1", "m2"]);
    const found = await checkPrimitive(
      { primitive: deployPrimitive, input: inputOf(small), world, inspect },
      { every: 3 },
    );
    expect(found).toEqual([]);
  });

  test("a second version over a first: scaled, stopped first, removed, with a job", {
    timeout: 120_000,
  }, async () => {
    const found = await checkPrimitive(
      { primitive: deployPrimitive, input: inputOf(V2), world: worldWithV1, inspect },
      { every: 11 },
    );
    expect(found).toEqual([]);
  });
});
