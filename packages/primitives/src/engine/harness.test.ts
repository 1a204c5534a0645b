import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPrimitive, checkSchedule } from "../testing/harness/check.ts";
import type { Fault } from "../testing/harness/process.ts";
import { around } from "../testing/harness/sabotage.ts";
import { placeScenario } from "../testing/place-scenario.ts";
import { place } from "../testing/toy.ts";

const fault = fc.record({
  at: fc.nat(40),
  when: fc.constantFrom("before" as const, "after" as const),
  kind: fc.constantFrom<Fault["kind"]>("crash", "unavailable", "abort", "pause"),
});

/** Acyclic by construction: an item needs only items before it. */
const items = fc
  .array(fc.record({ machine: fc.constantFrom("m1", "m2"), needs: fc.array(fc.nat(7), { maxLength: 3 }) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((list) =>
    list.map(({ machine, needs }, i) => ({
      ...{ name: `n${i}`, machine },
      needs: [...new Set(needs.filter((need) => need < i))].map((need) => `n${need}`),
    })),
  );

describe("a sound primitive under the harness", () => {
  it("always ends finished or as it was, with nothing left behind", async () => {
    expect(await checkPrimitive(placeScenario())).toEqual([]);
  });

  it("holds with several scopes too", async () => {
    const primitive = { ...place, scope: () => ["place.prod", "machine.m1"] };
    expect(await checkPrimitive({ ...placeScenario(), primitive }, { every: 3 })).toEqual([]);
  });

  it("survives any schedule of faults over any graph of steps", async () => {
    const runs = fc.array(fc.array(fault, { maxLength: 3 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(items, runs, async (graph, schedule) => {
        expect(await checkSchedule(placeScenario(graph), schedule)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe("the harness catches", () => {
  it("an undo that skips a step", async () => {
    const primitive = around(place, {
      async undo(_kind, args, real) {
        if (!JSON.stringify(args).includes('"b.')) await real();
      },
    });
    const found = await checkPrimitive({ ...placeScenario(), primitive });
    expect(found.map(({ check }) => check)).toContain("error at a step, undo twice");
    expect(found.map(({ check }) => check)).toContain("abort");
  });

  it("an apply that is not idempotent", async () => {
    let n = 0;
    const reserve: (typeof place)["steps"]["reserve"] = {
      ...place.steps.reserve,
      apply({ id, machine }, { call, signal }) {
        const another = `${id}.${n++}`;
        return call(machine, "instance.reserve", { id: another }, { timeoutMs: 5_000, signal });
      },
    };
    const primitive = { ...place, steps: { ...place.steps, reserve } };
    const found = await checkPrimitive({ ...placeScenario(), primitive }, { every: 4 });
    expect(found.map(({ check }) => check)).toContain("each step twice");
    expect(found.map(({ check }) => check)).toContain("run after crash (daemon restarted)");
  });
});
