import { PloyzError } from "@ployz/errors";
import { describe, expect, it } from "vitest";
import { exitCodeOf } from "../client/exit-code.ts";
import type { OperationResult } from "../model/operation.ts";
import { memoryDeps } from "../testing/bench.ts";
import { leftInStore } from "../testing/harness/judge.ts";
import { around } from "../testing/harness/sabotage.ts";
import { placeScenario } from "../testing/place-scenario.ts";
import { place } from "../testing/toy.ts";
import { type Outcome, register } from "./deps.ts";
import { resolveInterrupted } from "./resolve.ts";
import { runOperation } from "./run.ts";

const scenario = placeScenario();
const { input } = scenario;
const apply = { input, mode: "apply" as const };
const other = { namespace: "prod", items: [{ name: "z", machine: "m2", needs: [] }] };
const FINISHED = {
  reserved: [
    ["m1", ["a", "c"]],
    ["m2", ["b"]],
  ],
  missing: [],
  placed: ["a", "b", "c"],
};
function operation(outcome: Outcome): OperationResult & { readonly operation: string } {
  if (outcome.kind !== "operation" || outcome.operation === undefined)
    throw new Error(`it is ${JSON.stringify(outcome)}`);
  return { ...outcome, operation: outcome.operation };
}

describe("cleanup that fails", () => {
  /** Fails at c, whose undo fails too. */
  const stuckAtC = around(place, {
    async apply(_kind, args, real) {
      const out = await real();
      if (JSON.stringify(args).includes('"c.'))
        throw new PloyzError({ code: "not_ready", message: "c is not ready" });
      return out;
    },
    async undo(_kind, args, real) {
      if (JSON.stringify(args).includes('"c.'))
        throw new PloyzError({ code: "device_busy", message: "busy" });
      await real();
    },
  });
  const owes = ({ owed }: Pick<OperationResult, "owed">) =>
    owed.map(({ step, error }) => [step, error.code]).sort(([a], [b]) => ((a ?? "") < (b ?? "") ? -1 : 1));
  const later = { newOperationId: () => "01Q3DCBD0100000000000000ZZ" };

  it("of an undo is owed with what it blocks on its machine, and keeps nothing on another", async () => {
    const world = await scenario.world();
    const outcome = operation(await runOperation(stuckAtC, apply, memoryDeps(world)));
    expect(outcome).toMatchObject({ state: "cleanup-owed", changed: false, error: { code: "not_ready" } });
    expect(owes(outcome)).toEqual([
      ["reserve a", "undo_blocked"],
      ["reserve c", "device_busy"],
    ]);
    expect(exitCodeOf(outcome)).toBe(1);
    expect(await scenario.inspect(world)).toMatchObject({
      reserved: [
        ["m1", ["a", "c"]],
        ["m2", ["old"]],
      ],
    });
    const deps = memoryDeps(world, { ids: later });
    expect(await runOperation(place, apply, deps)).toMatchObject({ state: "done", changed: true });
    expect(await scenario.inspect(world)).toEqual(FINISHED);
  });

  it("of an undo ends when the operator gives the step up, with a warning about its remains", async () => {
    const world = await scenario.world();
    const { operation: id } = operation(await runOperation(stuckAtC, apply, memoryDeps(world)));
    const deps = { ...memoryDeps(world, { ids: later }), store: world.ports.store };
    const registry = new Map([["place", register(stuckAtC, world.ports)]]);
    const giveUp = ["reserve c"];
    const wrong = resolveInterrupted(registry, id, deps, { giveUp: ["reserve x"] });
    await expect(wrong).rejects.toMatchObject({
      code: "step_unknown",
      hint: expect.stringContaining("reserve c"),
    });
    expect(await resolveInterrupted(registry, id, deps)).toMatchObject({ state: "cleanup-owed" });
    expect(await resolveInterrupted(registry, id, deps, { giveUp })).toMatchObject({
      ...{ state: "failed", owed: [] },
      warnings: [expect.stringMatching(/reserve c on m1.*given up.*still be there/)],
    });
    expect(await leftInStore(world.ports.store)).toEqual([]);
  });

  it("that is owed to a machine that was removed ends with it", async () => {
    const world = await scenario.world();
    const { facts } = world.ports.store;
    const { operation: id } = operation(await runOperation(stuckAtC, apply, memoryDeps(world)));
    const gone = { id: "m1", index: 1, publicKey: "k", nkey: "n", operation: "", forced: true };
    await facts.put("removed.m1", gone, 0);
    const outcome = await runOperation(
      stuckAtC,
      { ...apply, input: other },
      memoryDeps(world, { ids: later }),
    );
    expect(outcome).toMatchObject({ state: "done", warnings: [] });
    expect((await world.ports.store.journals.summary(id))?.value).toMatchObject({ state: "failed" });
  });

  it("is found by its scope, however many operations came after it", async () => {
    const world = await scenario.world();
    const { operation: id } = operation(await runOperation(stuckAtC, apply, memoryDeps(world)));
    const { journals } = world.ports.store;
    const last = (await journals.summary(id))?.value;
    if (last === undefined) throw new Error("it has a summary");
    for (let n = 0; n < 600; n++) {
      const operation = `01Q3DCBD02${String(n).padStart(16, "0")}`;
      await journals.putSummary(operation, { ...last, operation, state: "done", scope: ["place.x"] });
    }
    const deps = memoryDeps(world, { ids: later });
    expect(await runOperation(place, apply, deps)).toMatchObject({ state: "done", changed: true });
    expect((await journals.summary(id))?.value).toMatchObject({ state: "failed" });
  });
});
