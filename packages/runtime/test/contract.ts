import { afterAll, beforeAll, describe } from "vitest";
import { attackCases } from "./contract/attacks.ts";
import { type Backend, type Bench, openBench } from "./contract/bench.ts";
import { execCases } from "./contract/exec.ts";
import { lifecycleCases } from "./contract/lifecycle.ts";
import { logCases } from "./contract/logs.ts";
import { networkCases } from "./contract/network.ts";
import { programCases } from "./contract/program.ts";
import { makeMachine } from "./machine.ts";

export type { Backend } from "./contract/bench.ts";

/** The cases that every backend has to pass, all on one machine. */
export function runtimeContract(name: string, backend: Backend): void {
  describe(`${name}: contract`, () => {
    const bench = {} as Bench;

    beforeAll(async () => {
      const machine = await makeMachine();
      Object.assign(bench, { machine });
      Object.assign(bench, openBench(backend, machine, await backend.open(machine)));
      await bench.runtime.ensureNetwork(machine.network);
    });
    afterAll(async () => {
      const { machine, runtime }: Partial<Bench> & Pick<Bench, "machine"> = bench;
      if (runtime !== undefined) {
        for (const { id } of await runtime.list()) await runtime.remove(id);
        await runtime.removeNetwork(machine.network);
      }
      await backend.close(machine);
      await machine.remove();
    });

    networkCases(bench);
    lifecycleCases(bench);
    programCases(bench);
    attackCases(bench);
    execCases(bench);
    logCases(bench);
  });
}
