import { PloyzError } from "@ployz/errors";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runOperation } from "../engine/run.ts";
import { memoryDeps } from "../testing/bench.ts";
import { checkPrimitive, checkSchedule } from "../testing/harness/check.ts";
import type { Fault } from "../testing/harness/process.ts";
import {
  inspectUpdate,
  NEW,
  OLD,
  type UpdateWorld,
  updateScenario,
  updateWorld,
} from "../testing/scenarios/machine-update.ts";
import { machineUpdate } from "./index.ts";

const run = (world: UpdateWorld, machine = "m2", mode: "apply" | "preview" = "apply") =>
  runOperation(machineUpdate, { input: { machine }, mode }, memoryDeps(world));

describe("machine update under the harness", () => {
  it("ends with the new version running and recorded, or with the old one as it was", async () => {
    expect(await checkPrimitive(updateScenario())).toEqual([]);
  }, 120_000);

  it("survives any schedule of faults", async () => {
    const fault = fc.record({
      at: fc.nat(40),
      when: fc.constantFrom("before" as const, "after" as const),
      kind: fc.constantFrom<Fault["kind"]>("crash", "unavailable", "abort"),
    });
    const runs = fc.array(fc.array(fault, { maxLength: 3 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(runs, async (schedule) => {
        expect(await checkSchedule(updateScenario(), schedule)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  }, 120_000);
});

describe("what an operator gets", () => {
  it("the new build beside the old one, and a second time nothing to do", async () => {
    const world = await updateWorld();
    expect(await run(world)).toMatchObject({ state: "done", changed: true });
    expect(await inspectUpdate(world)).toEqual({
      records: ["m1 version-2", "m2 version-2", "m3 version-1"],
      machines: [
        `m1 runs ${NEW}, has ${NEW}`,
        `m2 runs ${NEW}, has ${OLD} ${NEW}`,
        `m3 runs ${OLD}, has ${OLD}`,
      ],
    });
    expect(await run(world)).toMatchObject({ state: "done", changed: false });
  });

  it.each([
    ["a build that does not come up", { kind: "dies" } as const, "update_reverted"],
    [
      "a build that restarts a workload",
      { kind: "disturbs", what: "prod.web.0.a" } as const,
      "update_disturbed",
    ],
  ])(
    "%s: the machine is back on the old one, and the new one is gone from it",
    async (_what, fault, code) => {
      const world = await updateWorld(({ ports }) =>
        ports.machines.machine("m2").buildFaults.set(NEW, fault),
      );
      const before = await inspectUpdate(world);
      expect(await run(world)).toMatchObject({
        state: "failed",
        error: { code, machine: "m2", step: "verify" },
      });
      expect(await inspectUpdate(world)).toEqual(before);
    },
  );

  it("a machine that was updated by hand is recorded, and not touched", async () => {
    const world = await updateWorld(({ ports }) => {
      ports.machines.machine("m2").build = NEW;
    });
    expect(await run(world)).toMatchObject({ state: "done", changed: true });
    expect(ports(world).effects).toEqual([]);
    expect(await inspectUpdate(world)).toMatchObject({
      records: ["m1 version-2", "m2 version-2", "m3 version-1"],
    });
  });

  it("a machine whose release key signed the build", async () => {
    const world = await updateWorld((world) => (ports(world).releaseKey = "key of m1"));
    expect(await run(world)).toMatchObject({ state: "done", changed: true });
  });

  it("the coordinating machine has its version already", async () => {
    expect(await run(await updateWorld(), "m1")).toMatchObject({ state: "done", changed: false });
  });
});

const ports = ({ ports }: UpdateWorld, id = "m2") => ports.machines.machine(id);

describe("refusals before anything is touched", () => {
  const refusals: readonly (readonly [string, string, (world: UpdateWorld) => unknown])[] = [
    ["a machine that is away", "machine_unreachable", (world) => (ports(world).reachable = false)],
    ["a full disk", "disk_full", (world) => (ports(world).diskFreeBytes = 1)],
    ["a daemon that runs an operation", "machine_busy", (world) => ports(world).busy.push("01OTHER")],
    [
      "a source whose daemon was not restarted after its installation",
      "daemon_outdated",
      ({ ports: { source } }) => {
        const { look } = source;
        Object.assign(source, { look: async () => ({ ...(await look()), current: "build-3" }) });
      },
    ],
    [
      "a machine with another release key",
      "payload_unsigned",
      (world) => (ports(world).releaseKey = "another key"),
    ],
    [
      "another architecture",
      "arch_differs",
      ({ ports: { source } }) => {
        const { look } = source;
        Object.assign(source, { look: async () => ({ ...(await look()), arch: "arm64" }) });
      },
    ],
    [
      "a version from before updates",
      "command_unknown",
      ({ ports: { machines } }) => {
        const { call } = machines;
        const old: typeof call = (machine, command, args, options) =>
          machine === "m2" && command === "update.look"
            ? Promise.reject(new PloyzError({ code: "command_unknown", message: "m2 runs Ployz 0.1.0" }))
            : call(machine, command, args, options);
        machines.call = old;
      },
    ],
  ];
  it.each(refusals)("%s: %s", async (_what, code, prepare) => {
    const world = await updateWorld(prepare);
    const before = await inspectUpdate(world);
    for (const mode of ["preview", "apply"] as const)
      expect(await run(world, "m2", mode)).toMatchObject({
        kind: "refused",
        refusals: [expect.objectContaining({ code })],
      });
    expect(await inspectUpdate(world)).toEqual(before);
    expect(ports(world).effects).toEqual([]);
  });

  it("a machine that there is not", async () => {
    expect(await run(await updateWorld(), "m9")).toMatchObject({ refusals: [{ code: "no_such_machine" }] });
  });
});
