import type { Plan, PlannedStep, Refusals } from "@ployz/primitives";
import type { Commit, Instance } from "@ployz/primitives/protocol";

export type Input = { readonly name: string; readonly machine: string };
/** The greeting that a commit holds. */
export type Greeting = Pick<Instance, "id" | "machine" | "address">;
/** Observed before planning; revision 0: there is no commit yet. */
export type Facts = { readonly greeting?: Greeting; readonly revision: number };
type Place = { readonly id: string; readonly machine: string };
/** The kinds of steps: their arguments, and their output for later steps. */
export type Kinds = {
  readonly reserve: { readonly args: Place; readonly out: { readonly address: string } };
  readonly release: { readonly args: Place; readonly out: null };
};

/** Pure: the same input, facts and operation always give the same plan, which leaves no choice to the steps. */
export function plan({ name, machine }: Input, facts: Facts, operation: string): Plan<Kinds> | Refusals {
  if (name === machine) {
    const message = `${name} is a machine: a machine cannot greet itself`;
    return { refusals: [{ code: "greets_itself", message, hint: "greet somewhere else, or another name" }] };
  }
  const old = facts.greeting;
  const basis = [{ key: `commit.${name}`, revision: facts.revision }];
  if (old?.machine === machine) {
    return { basis, prepare: [], settle: [], summary: { name, machine }, changes: false, warnings: [] };
  }
  const reserve: PlannedStep<Kinds> = {
    id: "reserve",
    kind: "reserve",
    args: { id: `hello.${name}.${operation}`, machine },
    machine,
    title: `reserve an address for ${name} on ${machine}`,
    needs: [],
  };
  const release = (from: Greeting): PlannedStep<Kinds> => ({
    id: "release",
    kind: "release",
    args: { id: from.id, machine: from.machine },
    machine: from.machine,
    title: `release the old address of ${name} on ${from.machine}`,
    needs: [],
  });
  return {
    basis,
    prepare: [reserve],
    settle: old === undefined ? [] : [release(old)],
    summary: { name, machine },
    changes: true,
    warnings: [],
  };
}

/** In the state of the namespace `name`, a greeting is an instance of the service `hello`. */
export const toInstance = (greeting: Greeting): Instance => ({
  ...greeting,
  ...{ service: "hello", slot: 0, ports: {}, revision: "1" },
});
export const greetingOf = (commit: Commit | undefined): Greeting | undefined => commit?.instances[0];
