import type { Outcome } from "../../engine/deps.ts";
import { RECORD_LAGS } from "../../engine/execute.ts";
import type { Kinds, PlannedStep, PrimitivePorts } from "../../engine/types.ts";
import type { Json } from "../../model/json.ts";
import { explain, faultsOf, untruth, word } from "./judge.ts";
import { createCluster, type Fault, openProcess } from "./process.ts";
import { type Around, around, failing, twice } from "./sabotage.ts";
import type { Scenario, Violation, World } from "./scenario.ts";

/** Which faults `checkPrimitive` injects. */
export interface CheckOptions {
  /** Every n-th fault point; default 1. For primitives whose full run would be too slow. */
  readonly every?: number;
}

interface Trial<W> {
  readonly world: W;
  readonly cluster: ReturnType<typeof createCluster>;
}

type Report = (check: string, at: string, messages: readonly string[]) => void;

/**
 * Runs a primitive under every fault this file knows, and resolves with what it got wrong: each step twice; an error at each step
 * before and after its effect, with each undo done twice; a crash, an operator's abort, an unavailable store or machine, a pause
 * longer than the lease, and a second runner, before and after every call that it makes to its ports.
 */
export async function checkPrimitive<
  Ports extends PrimitivePorts,
  In extends Json,
  F,
  K extends Kinds,
  R extends Json,
  W extends World<Ports>,
>(scenario: Scenario<Ports, In, F, K, R, W>, options: CheckOptions = {}): Promise<readonly Violation[]> {
  const violations: Violation[] = [];
  const report: Report = (check, at, messages) => {
    for (const message of messages) violations.push({ check, at, message });
  };
  const bench = await openBench(scenario, report);
  if (bench === undefined) return violations;
  await bench.again();
  await bench.stepsTwice();
  await bench.errors();
  for (let at = 0; at < bench.calls; at += options.every ?? 1) {
    for (const when of ["before", "after"] as const) {
      await bench.interrupted({ at, when, kind: "crash" }, "restarted");
      await bench.interrupted({ at, when, kind: "crash" }, "down");
      await bench.interrupted({ at, when, kind: "abort" }, "restarted");
      await bench.interrupted({ at, when, kind: "unavailable" }, "restarted");
      await bench.paused({ at, when, kind: "pause", ms: 60_000 });
      await bench.twoRunners({ at, when, kind: "call" }, "other machine");
      await bench.twoRunners({ at, when, kind: "call" }, "same machine");
    }
  }
  return violations;
}

async function openBench<
  Ports extends PrimitivePorts,
  In extends Json,
  F,
  K extends Kinds,
  R extends Json,
  W extends World<Ports>,
>(scenario: Scenario<Ports, In, F, K, R, W>, report: Report) {
  const [first, second] = scenario.coordinators ?? ["coordinator-1", "coordinator-2"];
  const trial = async (): Promise<Trial<W>> => {
    const world = await scenario.world();
    return { world, cluster: createCluster(world.clock) };
  };
  const start = (
    { world, cluster }: Trial<W>,
    machine: string,
    faults: readonly Fault[] = [],
    how?: Around,
  ) =>
    openProcess<Ports, In, F, K, R>(world, cluster, {
      primitive: how === undefined ? scenario.primitive : around(scenario.primitive, how),
      input: scenario.input,
      ...{ machine, faults },
    });
  const faults = (world: W, expected: readonly Json[]) =>
    faultsOf<Ports, W>(world, (w) => scenario.inspect(w), expected);
  /** What must be true after an outcome that says so. */
  const judge = async (world: W, outcome: Outcome | "crashed" | "stuck"): Promise<string[]> => [
    ...(await untruth(world.ports.store, outcome)),
    ...(await stateAfter(world, outcome)),
  ];
  const stateAfter = async (world: W, outcome: Outcome | "crashed" | "stuck"): Promise<string[]> => {
    const lags =
      typeof outcome !== "string" && outcome.kind === "operation" && outcome.warnings.includes(RECORD_LAGS);
    const but = (found: string[]) =>
      lags ? found.filter((what) => !what.startsWith("left behind: operation")) : found;
    switch (word(outcome)) {
      case "done":
        return but(await faults(world, [finished]));
      case "failed":
      case "aborted":
        return but(await faults(world, [clean]));
      case "stuck":
        return ["it did not end within an hour"];
      default:
        return [];
    }
  };
  const mustFinish = async (t: Trial<W>, machine: string): Promise<string[]> => {
    const outcome = await start(t, machine).run();
    const wrong = word(outcome) === "done" ? [] : [`the next run ended ${explain(outcome)}`];
    return [...wrong, ...(await faults(t.world, [finished]))];
  };

  const normal = await trial();
  const clean = await scenario.inspect(normal.world);
  const process = start(normal, first);
  const outcome = await process.run();
  const finished = await scenario.inspect(normal.world);
  if (word(outcome) !== "done") {
    report("plain run", "", [`ended ${explain(outcome)}`]);
    return undefined;
  }
  report("plain run", "", await faults(normal.world, [finished]));
  const named = ({ at, when, kind }: Fault) => `${kind} ${when} call ${at}: ${process.trace[at] ?? "?"}`;

  return {
    calls: process.trace.length,
    async again() {
      report("run again", "", await mustFinish(normal, second));
    },
    async stepsTwice() {
      const t = await trial();
      const result = await start(t, first, [], twice).run();
      const wrong = word(result) === "done" ? [] : [`ended ${explain(result)}`];
      report("each step twice", "", [...wrong, ...(await faults(t.world, [finished]))]);
    },
    async errors() {
      for (const [phase, steps] of Object.entries(await plannedSteps(scenario))) {
        for (const step of steps) {
          for (const when of ["before", "after"] as const) {
            const t = await trial();
            const result = await start(t, first, [], failing(step, when)).run();
            const wanted = phase === "prepare" ? "failed" : "cleanup-owed";
            const wrong =
              word(result) === wanted ? await judge(t.world, result) : [`ended ${explain(result)}`];
            const at = `${when} ${step.id}`;
            report("error at a step, undo twice", at, wrong);
            report("run after the error", at, await mustFinish(t, second));
          }
        }
      }
    },
    /** A fault, the state right after it, and the same command from another machine. */
    async interrupted(fault: Fault, daemon: "restarted" | "down") {
      const t = await trial();
      const result = await start(t, first, [fault]).run();
      report(fault.kind, named(fault), await judge(t.world, result));
      if (result === "crashed" && daemon === "down") t.cluster.down.add(first);
      report(`run after ${fault.kind} (daemon ${daemon})`, named(fault), await mustFinish(t, second));
    },
    /** The runner stands still for longer than its lease lives; another takes over; then the first one wakes up. */
    async paused(fault: Fault) {
      const t = await trial();
      const stall = { ...fault, also: () => t.cluster.down.add(first) };
      const paused = start(t, first, [stall]).run();
      const other = t.world.clock.sleep(20_000).then(() => start(t, second).run());
      const results = await Promise.all([paused, other]);
      t.cluster.down.delete(first);
      const stuck = results.filter((r) => r === "stuck").map(() => "a runner did not end within an hour");
      const { store } = t.world.ports;
      const untrue = (await Promise.all(results.map((result) => untruth(store, result)))).flat();
      report("pause", named(fault), [...stuck, ...untrue]);
      report("run after pause", named(fault), await mustFinish(t, second));
    },
    /** Another operator gives the same command at this moment. */
    async twoRunners(fault: Fault, where: "same machine" | "other machine") {
      const t = await trial();
      const others: Promise<Outcome | "crashed" | "stuck">[] = [];
      const rival = where === "same machine" ? first : second;
      const also = { ...fault, also: () => void others.push(start(t, rival).run()) };
      const results = [await start(t, first, [also]).run(), ...(await Promise.all(others))];
      const bad = results.filter((r) => !["done", "refused:scope_busy"].includes(word(r)));
      const wrong = bad.map((r) => `a runner ended ${explain(r)}`);
      if (!results.some((r) => word(r) === "done")) wrong.push("neither runner finished");
      report(`two runners, ${where}`, named(fault), [...wrong, ...(await faults(t.world, [finished]))]);
    },
    /** Any faults, one list per run, each run on the other machine; then a run without. */
    async schedule(runs: readonly (readonly Fault[])[]) {
      const t = await trial();
      for (const [i, list] of runs.entries()) {
        const machine = i % 2 === 0 ? first : second;
        const result = await start(t, machine, list).run();
        report(`run ${i} of a schedule`, JSON.stringify(runs), await judge(t.world, result));
      }
      report(
        "run after a schedule",
        JSON.stringify(runs),
        await mustFinish(t, runs.length % 2 === 0 ? first : second),
      );
    },
  };
}

async function plannedSteps<
  Ports extends PrimitivePorts,
  In extends Json,
  F,
  K extends Kinds,
  R extends Json,
  W extends World<Ports>,
>({ primitive, input, world }: Scenario<Ports, In, F, K, R, W>) {
  const { ports, clock } = await world();
  const parsed = primitive.parse(input);
  if (!parsed.ok) return { prepare: [], settle: [] };
  const facts = await primitive.observe(parsed.input, ports, new AbortController().signal);
  // The steps are recognised by kind and arguments, so this must be the id that the first run of a trial gets.
  const plan = primitive.plan(parsed.input, facts, createCluster(clock).newOperationId());
  if ("refusals" in plan) return { prepare: [], settle: [] };
  return { prepare: plan.prepare as readonly PlannedStep[], settle: plan.settle as readonly PlannedStep[] };
}

/** One random schedule, for property tests: faults per run, then a run without any must end in the finished state. */
export async function checkSchedule<
  Ports extends PrimitivePorts,
  In extends Json,
  F,
  K extends Kinds,
  R extends Json,
  W extends World<Ports>,
>(
  scenario: Scenario<Ports, In, F, K, R, W>,
  runs: readonly (readonly Fault[])[],
): Promise<readonly Violation[]> {
  const violations: Violation[] = [];
  const bench = await openBench(scenario, (check, at, messages) => {
    for (const message of messages) violations.push({ check, at, message });
  });
  await bench?.schedule(runs);
  return violations;
}
