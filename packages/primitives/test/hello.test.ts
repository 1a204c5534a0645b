import { runOperation } from "@ployz/primitives";
import { emptyCommit } from "@ployz/primitives/protocol";
import {
  checkPrimitive,
  createMemoryMachines,
  createMemoryStore,
  createVirtualClock,
  memoryDeps,
} from "@ployz/primitives/testing";
import { expect, test } from "vitest";
import { hello } from "../examples/hello/index.ts";
import { greetingOf, toInstance } from "../examples/hello/plan.ts";

/** Two machines; m1 greets the world already. */
async function world() {
  const clock = createVirtualClock();
  const machines = createMemoryMachines({ clock, machines: ["m1", "m2"] });
  const store = createMemoryStore({ clock });
  const greeting = { id: "hello.world.0", machine: "m1", address: "10.101.1.9" };
  machines.machine("m1").reservations.set(greeting.id, greeting.address);
  const state = emptyCommit({ namespace: "world", operation: "0", primitive: "hello", at: "", by: "" });
  await store.commits.append({ ...state, instances: [toInstance(greeting)] }, 0);
  return { clock, ports: { store, machines } };
}

test("the greeting moves to another machine, and repeating it changes nothing", async () => {
  const { clock, ports } = await world();
  const greet = () =>
    runOperation(
      hello,
      { input: { name: "world", machine: "m2" }, mode: "apply" },
      memoryDeps({ clock, ports }),
    );
  expect(await greet()).toMatchObject({ state: "done", output: "hello world from m2" });
  expect(ports.machines.machine("m1").reservations.size).toBe(0);
  const first = await ports.store.commits.last("world");
  expect(greetingOf(first?.value)?.machine).toBe("m2");
  await greet();
  expect(await ports.store.commits.last("world")).toEqual(first);
});

test("it refuses a machine that greets itself", async () => {
  const { clock, ports } = await world();
  const input = { name: "m1", machine: "m1" };
  const outcome = await runOperation(hello, { input, mode: "apply" }, memoryDeps({ clock, ports }));
  expect(outcome).toMatchObject({ kind: "refused", refusals: [{ code: "greets_itself" }] });
});

test("it survives every fault: crashes, aborts, outages, pauses and a second runner at every call", async () => {
  const violations = await checkPrimitive({
    primitive: hello,
    input: { name: "world", machine: "m2" },
    world,
    async inspect({ ports }) {
      const greeting = greetingOf((await ports.store.commits.last("world"))?.value);
      const reserved = ports.machines.all.map(({ id, reservations }) => ({ id, count: reservations.size }));
      return { from: greeting?.machine ?? null, reserved };
    },
  });
  expect(violations).toEqual([]);
});
