import type { Primitive, PrimitivePorts } from "@ployz/primitives";
import { checkLabel, emptyCommit } from "@ployz/primitives/protocol";
import { type Facts, greetingOf, type Input, type Kinds, plan, toInstance } from "./plan.ts";
import { steps } from "./steps.ts";

/** Greets a name from a machine: reserves an address there, commits it, and releases the address of the greeting before. */
export const hello: Primitive<PrimitivePorts, Input, Facts, Kinds, string> = {
  name: "hello",
  version: 1,
  parse(input) {
    const { name, machine } = input as Input;
    const refusals = [checkLabel("name", name), checkLabel("machine", machine)].filter(
      (error) => error !== undefined,
    );
    return refusals.length > 0 ? { ok: false, refusals } : { ok: true, input: { name, machine } };
  },
  scope: ({ name }) => [`hello.${name}`],
  async observe({ name }, { store }) {
    const head = await store.commits.last(name);
    const greeting = greetingOf(head?.value);
    return { revision: head?.revision ?? 0, ...(greeting && { greeting }) };
  },
  plan,
  steps,
  commit: ({ name, machine }, { revision }, _plan, { operation, at, by, output }) => {
    const { address } = output("reserve", "reserve");
    const greeting = { id: `hello.${name}.${operation}`, machine, address };
    const state = emptyCommit({ namespace: name, operation, primitive: "hello", at, by });
    const commit = { ...state, instances: [toInstance(greeting)] };
    return { kind: "namespace", commit, expected: revision };
  },
  result: ({ name, machine }) => `hello ${name} from ${machine}`,
};
