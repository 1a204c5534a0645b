import { PloyzError } from "@ployz/errors";
import { describe, expect, it } from "vitest";
import { exitCodeOf } from "../client/exit-code.ts";
import type { OperationResult } from "../model/operation.ts";
import { memoryDeps } from "../testing/bench.ts";
import { type Hook, interpose } from "../testing/harness/interpose.ts";
import { around } from "../testing/harness/sabotage.ts";
import { type PlaceWorld, placeScenario } from "../testing/place-scenario.ts";
import { place } from "../testing/toy.ts";
import type { Outcome } from "./deps.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { runOperation } from "./run.ts";

const scenario = placeScenario();
const { input } = scenario;
const apply = { input, mode: "apply" as const };
const CLEAN = {
  reserved: [
    ["m1", []],
    ["m2", ["old"]],
  ],
  missing: [],
  placed: ["old"],
};
const FINISHED = {
  reserved: [
    ["m1", ["a", "c"]],
    ["m2", ["b"]],
  ],
  missing: [],
  placed: ["a", "b", "c"],
};

/** The same world with calls of one name going through `hook`. */
function hooked(
  world: PlaceWorld,
  name: string,
  hook: (effect: () => Promise<unknown>) => Promise<unknown>,
): PlaceWorld {
  const through: Hook = (called, _args, effect) => (called === name ? hook(effect) : effect());
  return { ...world, ports: interpose(world.ports, through) };
}

function operation(outcome: Outcome): OperationResult {
  if (outcome.kind !== "operation") throw new Error(`it is ${JSON.stringify(outcome)}`);
  return outcome;
}

const unavailable = () => new PloyzError({ code: "store_unavailable", message: "no quorum" });

describe("an operation", () => {
  it("previews without a lease or a journal", async () => {
    const world = await scenario.world();
    const outcome = await runOperation(place, { input, mode: "preview" }, memoryDeps(world));
    expect(outcome).toMatchObject({ kind: "plan", changes: true });
    expect(await world.ports.store.journals.summaries(9)).toEqual([]);
    expect(await world.ports.store.leases.list()).toEqual([]);
    expect(await scenario.inspect(world)).toEqual(CLEAN);
  });

  it("refuses bad input before it looks at anything", async () => {
    const world = await scenario.world();
    const bad = { input: { ...input, namespace: "../x" }, mode: "apply" as const };
    const outcome = await runOperation(place, bad, memoryDeps(world));
    expect(outcome).toMatchObject({ kind: "refused", refusals: [{ code: "invalid_input" }] });
    expect(exitCodeOf(outcome)).toBe(2);
  });

  it("changes nothing when there is nothing to change, and leaves no journal", async () => {
    const world = await scenario.world();
    const old = {
      input: { namespace: "prod", items: [{ name: "old", machine: "m2", needs: [] }] },
      mode: "apply" as const,
    };
    const outcome = await runOperation(place, old, memoryDeps(world));
    expect(outcome).toMatchObject({ kind: "operation", state: "done", changed: false });
    expect(outcome).not.toHaveProperty("operation"); // there is none that this id could show
    expect(await world.ports.store.journals.summaries(9)).toEqual([]);
    expect(await scenario.inspect(world)).toEqual(CLEAN);
  });

  it("tells what happened in order, ending with the result", async () => {
    const deps = memoryDeps(await scenario.world());
    const result = operation(await runOperation(place, apply, deps));
    expect(result).toMatchObject({ state: "done", changed: true, output: { placed: 3 }, owed: [] });
    const types = deps.events.map((event) => event.type);
    expect(types.slice(0, 2)).toEqual(["accepted", "plan"]);
    expect(types.at(-1)).toBe("result");
    expect(types.indexOf("committed")).toBeGreaterThan(types.indexOf("step"));
  });

  it("names the thing it waited for when a step's time is up, and undoes the rest", async () => {
    const world = await scenario.world();
    const reserve: (typeof place)["steps"]["reserve"] = {
      ...place.steps.reserve,
      timeoutMs: () => 7_000,
      async apply(args, context) {
        if (!args.id.startsWith("b.")) return place.steps.reserve.apply(args, context);
        context.progress("layer 2 of 9");
        return new Promise(() => {});
      },
    };
    const slow = { ...place, steps: { ...place.steps, reserve } };
    const result = operation(await runOperation(slow, apply, memoryDeps(world)));
    expect(result.state).toBe("failed");
    expect(result.error).toMatchObject({
      code: "deadline_exceeded",
      message: "reserve b on m2 took longer than 7000 ms: layer 2 of 9",
      ...{ step: "reserve b", machine: "m2", operationId: result.operation },
    });
    expect(await scenario.inspect(world)).toEqual(CLEAN);
  });

  it("fails a step that reads what it does not need", async () => {
    const world = await scenario.world();
    const reserve: (typeof place)["steps"]["reserve"] = {
      ...place.steps.reserve,
      async apply(_args, { output }) {
        return output("reserve c") as { address: string };
      },
    };
    const nosy = { ...place, steps: { ...place.steps, reserve } };
    const result = operation(await runOperation(nosy, apply, memoryDeps(world)));
    expect(result.error?.message).toMatch(/reads the output of "reserve c" without needing it/);
  });

  it("runs at most 4 steps at once on a machine, without a warning of too many listeners", async () => {
    const warnings: string[] = [];
    const warned = (warning: Error) => warnings.push(warning.name);
    process.on("warning", warned);
    const machines = ["m1", "m2", "m3", "m4"];
    const items = Array.from({ length: 20 }, (_, i) => ({
      name: `n${i}`,
      machine: machines[i % 4] ?? "",
      needs: [],
    }));
    const world = await placeScenario(items).world();
    for (const id of ["m3", "m4"]) world.ports.machines.add(id);
    const now = new Map<string, number>();
    let most = 0;
    const watched = around(place, {
      async apply(_kind, args, real) {
        const { machine } = args as { machine: string };
        now.set(machine, (now.get(machine) ?? 0) + 1);
        most = Math.max(most, ...now.values());
        await world.clock.sleep(10);
        const out = await real();
        now.set(machine, (now.get(machine) ?? 0) - 1);
        return out;
      },
    });
    const run = { input: { namespace: "prod", items }, mode: "apply" as const };
    expect(operation(await runOperation(watched, run, memoryDeps(world))).state).toBe("done");
    expect(most).toBe(4);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", warned);
    expect(warnings).toEqual([]);
  });

  it("undoes everything when the operator aborts, and exits with 130", async () => {
    const world = await scenario.world();
    const stop = new AbortController();
    const aborting = around(place, {
      async apply(_kind, args, real) {
        if (JSON.stringify(args).includes('"c.')) stop.abort();
        return real();
      },
    });
    const outcome = await runOperation(aborting, apply, memoryDeps(world, { signal: stop.signal }));
    expect(outcome).toMatchObject({ state: "aborted", changed: false });
    expect(exitCodeOf(outcome)).toBe(130);
    expect(await scenario.inspect(world)).toEqual(CLEAN);
  });
});

describe("the commit", () => {
  it("is one when its reply is lost", async () => {
    const plain = await scenario.world();
    let lost = 0;
    const world = hooked(plain, "store.commits.append", async (effect) => {
      const result = await effect();
      if (lost++ < 3) throw unavailable();
      return result;
    });
    expect(operation(await runOperation(place, apply, memoryDeps(world))).state).toBe("done");
    expect((await plain.ports.store.commits.history("prod", 9)).length).toBe(2);
  });

  it("is left alone, not undone, while its outcome is unknown; the same command finishes it", async () => {
    const plain = await scenario.world();
    let gone = false;
    const world = hooked(plain, "store.commits.append", async (effect) => {
      await effect();
      gone = true;
      throw unavailable();
    });
    const down = (effect: () => Promise<unknown>) => (gone ? Promise.reject(unavailable()) : effect());
    const writeless = hooked(world, "store.leases.renew", down);
    const outcome = await runOperation(place, apply, memoryDeps(hooked(writeless, "store.leases.get", down)));
    expect(outcome).toMatchObject({ state: "interrupted", error: { code: "commit_unknown" } });
    expect(exitCodeOf(outcome)).toBe(5);
    const ids = { newOperationId: () => "01Q3DCBD0100000000000000ZZ" };
    const next = operation(await runOperation(place, apply, memoryDeps(plain, { ids })));
    expect(next.state).toBe("done");
    expect(await scenario.inspect(plain)).toEqual(FINISHED);
  });

  it("is no failure when its answer and the lease are lost, but the store can be read", async () => {
    const plain = await scenario.world();
    let gone = false;
    const world = hooked(plain, "store.commits.append", async (effect) => {
      await effect();
      gone = true;
      throw unavailable();
    });
    const broken = hooked(world, "store.leases.renew", (effect) =>
      gone ? Promise.reject(unavailable()) : effect(),
    );
    const outcome = operation(await runOperation(place, apply, memoryDeps(broken)));
    expect(outcome).toMatchObject({ state: "cleanup-owed", changed: true, revision: expect.any(Number) });
    expect(outcome.owed.length).toBeGreaterThan(0);
    expect(exitCodeOf(outcome)).toBe(5);
  });

  it("tries a step again when the daemon of its machine is restarted under it, and says so", async () => {
    const plain = await scenario.world();
    let cut = 0;
    const world = hooked(plain, "machines.call", async (effect) => {
      const result = await effect();
      if (cut++ === 0) throw new PloyzError({ code: "call_interrupted", message: "m1 was restarted" });
      return result;
    });
    const said: string[] = [];
    const deps = memoryDeps(world, { emit: (event) => event.type === "waiting" && said.push(event.what) });
    expect(operation(await runOperation(place, apply, deps)).state).toBe("done");
    expect(await scenario.inspect(plain)).toEqual(FINISHED);
    expect(said).toEqual([expect.stringContaining("m1 was restarted")]);
  });

  it("waits once for a machine that stopped answering, not again for each step to undo there", async () => {
    const plain = await scenario.world();
    let calls = 0;
    const through: Hook = (called, [machine], effect) => {
      if (called !== "machines.call" || machine !== "m1" || calls++ === 0) return effect();
      const details = { machine: "m1" };
      return Promise.reject(new PloyzError({ code: "machine_unreachable", message: "m1 is away", details }));
    };
    const world = { ...plain, ports: interpose(plain.ports, through) };
    const began = world.clock.now();
    const { state, owed } = operation(await runOperation(place, apply, memoryDeps(world)));
    expect([state, owed.map(({ step }) => step)]).toEqual([
      "cleanup-owed",
      expect.arrayContaining(["reserve a", "reserve c"]),
    ]);
    expect(world.clock.now() - began).toBeLessThan(1.5 * DEFAULT_LIMITS.unreachableMs);
  });

  it.each([
    ["for a daemon that restarts", 0, 1, 1.5],
    ["not for a machine that was silent for longer than that before it was noticed", 12_000, 0, 0.2],
  ])("waits %s", async (_, silentMs, least, most) => {
    const plain = await scenario.world();
    let calls = 0;
    const through: Hook = (called, [machine], effect) => {
      if (called !== "machines.call" || machine !== "m1" || calls++ === 0) return effect();
      const details = { machine: "m1", silentMs };
      return Promise.reject(new PloyzError({ code: "machine_unreachable", message: "m1 is away", details }));
    };
    const world = { ...plain, ports: interpose(plain.ports, through) };
    const began = world.clock.now();
    expect(operation(await runOperation(place, apply, memoryDeps(world))).state).toBe("cleanup-owed");
    const took = (world.clock.now() - began) / DEFAULT_LIMITS.unreachableMs;
    expect([took >= least, took <= most]).toEqual([true, true]);
  });

  it("is planned again when another operation committed first", async () => {
    const plain = await scenario.world();
    let raced = false;
    const world = hooked(plain, "store.commits.append", async (effect) => {
      if (!raced) {
        raced = true;
        const last = await plain.ports.store.commits.last("prod");
        if (last === undefined) throw new Error("the scenario commits something");
        await plain.ports.store.commits.append({ ...last.value, operation: "RIVAL" }, last.revision);
      }
      return effect();
    });
    expect(operation(await runOperation(place, apply, memoryDeps(world))).state).toBe("done");
    expect(await scenario.inspect(plain)).toEqual(FINISHED);
    expect((await plain.ports.store.commits.history("prod", 9)).length).toBe(3);
  });

  it("gives up, undone, when it always loses", async () => {
    const plain = await scenario.world();
    const world = hooked(plain, "store.commits.append", async () => ({ committed: false, last: undefined }));
    const result = operation(await runOperation(place, apply, memoryDeps(world)));
    expect(result).toMatchObject({ state: "failed", error: { code: "commit_conflict" } });
    expect(await scenario.inspect(plain)).toEqual(CLEAN);
  });
});

describe("cleanup that fails", () => {
  it("after the commit is owed, exit 5, and the next command does it", async () => {
    const world = await scenario.world();
    const stuck = around(place, {
      async apply(kind, _args, real) {
        if (kind === "release") throw new PloyzError({ code: "device_busy", message: "busy" });
        return real();
      },
    });
    const outcome = await runOperation(stuck, apply, memoryDeps(world));
    expect(outcome).toMatchObject({
      state: "cleanup-owed",
      changed: true,
      owed: [{ error: { code: "device_busy" } }],
    });
    expect(exitCodeOf(outcome)).toBe(5);
    const ids = { newOperationId: () => "01Q3DCBD0100000000000000ZZ" };
    expect(await runOperation(place, apply, memoryDeps(world, { ids }))).toMatchObject({
      state: "done",
      changed: false,
    });
    expect(await scenario.inspect(world)).toEqual(FINISHED);
    const summaries = await world.ports.store.journals.summaries(9);
    expect(summaries.map(({ value }) => value)).toMatchObject([{ state: "done" }]);
  });
});
