import type { Primitive, PrimitivePorts, StepContext } from "../../engine/types.ts";
import { PloyzError } from "../../error-codes.ts";
import { type Candidates, candidatesKey } from "../../model/candidates.ts";
import type { Json } from "../../model/json.ts";
import type { Store } from "../../ports/store.ts";
import type { ChangeKinds } from "./kinds.ts";
import { publish } from "./publish.ts";

const SECOND = 1000;
const WAIT = 30 * SECOND;

type Steps = Pick<
  Primitive<PrimitivePorts, Json, unknown, ChangeKinds, Json>["steps"],
  "candidates.announce" | "candidates.ready" | "candidates.withdraw"
>;

/** Packet filters and DNS learn of candidates before any of them starts, and of those that others come after as soon as they are ready. */
export const candidateSteps: Steps = {
  "candidates.announce": {
    timeoutMs: () => WAIT,
    retryTransient: true,
    async apply({ namespace, expected, instances, leaving, machines }, context) {
      const { operation, output, ports } = context;
      const value: Candidates = {
        operation,
        leaving,
        instances: instances.map(({ reserve, ...instance }) => ({
          ...instance,
          address: output(reserve, "reserve").address,
          ready: false,
        })),
      };
      const written = await ports.store.facts.put(candidatesKey(namespace), value, expected);
      if (!written.ok) throw taken(namespace);
      await follow(machines, { namespace, revision: written.revision }, context);
      return { revision: written.revision };
    },
    undo: ({ namespace }, { operation, ports }) => withdraw({ namespace, operation }, ports.store),
  },
  "candidates.ready": {
    timeoutMs: () => WAIT,
    retryTransient: true,
    async apply({ namespace, ids, machines }, context) {
      const revision = await markReady(namespace, ids, context);
      await follow(machines, { namespace, revision }, context);
      return { revision };
    },
  },
  "candidates.withdraw": {
    timeoutMs: () => WAIT,
    retryTransient: true,
    async apply({ namespace, expected }, { operation, ports }) {
      await withdraw({ namespace, operation, expected }, ports.store);
      return null;
    },
  },
};

/** Read, changed and written back until nothing came in between; ready ones of steps side by side are all kept. */
async function markReady(
  namespace: string,
  ids: readonly string[],
  { operation, ports, signal }: StepContext<PrimitivePorts>,
): Promise<number> {
  const key = candidatesKey(namespace);
  for (;;) {
    signal.throwIfAborted();
    const entry = await ports.store.facts.get(key);
    const present = entry?.value;
    if (entry === undefined || present?.operation !== operation) throw taken(namespace);
    const instances = present.instances.map((one) => (ids.includes(one.id) ? { ...one, ready: true } : one));
    const written = await ports.store.facts.put(key, { ...present, instances }, entry.revision);
    if (written.ok) return written.revision;
  }
}

/** Those of this operation, or of the one that the plan found dead; never those of a later one. */
async function withdraw(
  { namespace, operation, expected }: { namespace: string; operation: string; expected?: number },
  { facts }: Store,
): Promise<void> {
  const key = candidatesKey(namespace);
  const entry = await facts.get(key);
  if (entry === undefined) return;
  const mine = entry.value.operation === operation || entry.revision === expected;
  if (mine) await facts.remove(key, entry.revision);
}

/** A machine that does not answer learns of it when it is back; nothing of this operation starts there meanwhile. */
async function follow(
  machines: readonly string[],
  { namespace, revision }: { readonly namespace: string; readonly revision: number },
  context: StepContext<PrimitivePorts>,
): Promise<void> {
  const wanted = { namespace: candidatesKey(namespace), revision };
  await Promise.all(machines.map((machine) => publish(machine, wanted, context)));
}

const taken = (namespace: string) =>
  new PloyzError({
    code: "candidates_taken",
    message: `another operation starts candidates in ${namespace}`,
    hint: "run the command again",
  });
