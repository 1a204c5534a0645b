import { errorBody } from "@ployz/errors";
import type { Primitive, StepContext } from "../engine/types.ts";
import { PloyzError } from "../error-codes.ts";
import type { MembershipFacts, MembershipPorts } from "../membership/observe.ts";
import { follow, type SharedKinds, sharedSteps } from "../membership/steps.ts";
import type { Json } from "../model/json.ts";
import type { MachineRecord, RemovedMachine } from "../model/machine.ts";
import type { MachineRmInput } from "./input.ts";

type State = MachineRecord["state"];

export type MachineRmKinds = SharedKinds & {
  /** It receives no new workloads from now on. `from`: its previous state. `lost`: it is not waited for. */
  drain: {
    args: { readonly machine: string; readonly from: State; readonly lost: boolean };
    out: { readonly revision: number; readonly record: MachineRecord };
  };
  /** Tells the machine to leave, while it can still hear that. `kept`: the datasets that it keeps. */
  leave: {
    args: { readonly machine: string };
    out: { readonly left: boolean; readonly kept: readonly string[]; readonly warning?: string };
  };
  /** Its record goes, and with it its tunnel and its user on every machine that follows. */
  forget: { args: Omit<RemovedMachine, "operation">; out: { readonly revision: number } };
  /** Waits until a machine has removed the peer. */
  released: {
    args: { readonly machine: string; readonly forget: string };
    out: { readonly warning?: string };
  };
};

type Steps = Primitive<MembershipPorts, MachineRmInput, MembershipFacts, MachineRmKinds, Json>["steps"];

const SECOND = 1000;
const FOLLOW = 10 * SECOND;

export const steps: Steps = {
  ...sharedSteps,
  drain: {
    timeoutMs: () => 3 * FOLLOW,
    retryTransient: true,
    async apply({ machine, lost }, { ports, call, signal }) {
      const entry = await setState(machine, "draining", ports);
      const { revision } = entry;
      if (lost) return entry;
      await follow(machine, () =>
        call(machine, "membership.await", { revision }, { timeoutMs: FOLLOW, signal }),
      );
      return entry;
    },
    async undo({ machine, from }, { ports }) {
      const entry = await ports.store.facts.get(`machine.${machine}`);
      if (entry?.value.state === "draining") await setState(machine, from, ports);
    },
  },
  leave: {
    timeoutMs: () => 60 * SECOND,
    retryTransient: true,
    async apply({ machine }, context) {
      try {
        return await orderToLeave(machine, context).catch((error: unknown) => {
          // The answer may have been lost; the order is the same a second time.
          if (errorBody(error).code !== "machine_unreachable") throw error;
          return orderToLeave(machine, context);
        });
      } catch (error) {
        const { code, message } = errorBody(error);
        if (context.signal.aborted || code === "fenced" || code === "store_unavailable") throw error;
        const warning = `${machine} did not confirm that it leaves (${message}); it is cut off. What it may still run ends with: ployzctl mesh leave, there`;
        return { left: false, kept: [], warning };
      }
    },
  },
  forget: { timeoutMs: () => 30 * SECOND, retryTransient: true, apply: forget },
  released: {
    timeoutMs: () => 3 * FOLLOW,
    retryTransient: true,
    async apply({ machine, forget: step }, { call, output, signal }) {
      const { revision } = output(step, "forget");
      return follow(machine, () =>
        call(machine, "membership.await", { revision }, { timeoutMs: FOLLOW, signal }),
      );
    },
  },
};

async function orderToLeave(
  machine: string,
  { call, operation, signal }: Pick<StepContext<MembershipPorts>, "call" | "operation" | "signal">,
): Promise<MachineRmKinds["leave"]["out"]> {
  const { kept } = await call(machine, "machine.leave", { operation }, { timeoutMs: 15 * SECOND, signal });
  return { left: true, kept };
}

async function setState(
  machine: string,
  state: State,
  { store }: MembershipPorts,
): Promise<{ readonly revision: number; readonly record: MachineRecord }> {
  const entry = await store.facts.get(`machine.${machine}`);
  if (entry === undefined) throw changed(machine);
  if (entry.value.store && state === "draining") throw tookTheStore(machine);
  if (entry.value.state === state) return { revision: entry.revision, record: entry.value };
  const record = { ...entry.value, state };
  const written = await store.facts.put(`machine.${machine}`, record, entry.revision);
  if (!written.ok) throw changed(machine);
  return { revision: written.revision, record };
}

const tookTheStore = (machine: string) =>
  new PloyzError({
    code: "holds_the_store",
    message: `meanwhile the store was moved to ${machine}`,
    hint: "run the same command again",
    machine,
  });

const changed = (machine: string) =>
  new PloyzError({
    code: "conflict",
    message: `the record of ${machine} changed meanwhile`,
    hint: "run the same command again",
  });

/** The `removed` fact is written last, so that its revision is later than all deletions. */
async function forget(
  machine: MachineRmKinds["forget"]["args"],
  { ports, operation }: StepContext<MembershipPorts>,
): Promise<MachineRmKinds["forget"]["out"]> {
  const { facts } = ports.store;
  const { id, index, publicKey } = machine;
  const record = await facts.get(`machine.${id}`);
  // Another may have its name by now, if this step is tried again.
  const mine = record?.value.publicKey === publicKey;
  if (record !== undefined && mine) {
    const subnet = await facts.get(`subnet.${index}`);
    if (subnet !== undefined) await facts.remove(subnet.key, subnet.revision);
    if (!(await facts.remove(record.key, record.revision)).ok) throw changed(id);
  }
  const before = await facts.get(`removed.${id}`);
  const value: RemovedMachine = { ...machine, operation };
  if (before?.value.operation === operation) return { revision: before?.revision ?? 0 };
  const written = await facts.put(`removed.${id}`, value, before?.revision ?? 0);
  if (!written.ok) throw changed(id);
  return { revision: written.revision };
}
