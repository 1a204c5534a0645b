import type { Primitive, PrimitivePorts } from "../../engine/types.ts";
import { type Candidates, runningKey } from "../../model/candidates.ts";
import type { Json } from "../../model/json.ts";
import type { Store } from "../../ports/store.ts";
import type { ChangeKinds } from "./kinds.ts";
import { publish } from "./publish.ts";

type Of = { readonly namespace: string; readonly job: string };
type Steps = Pick<
  Primitive<PrimitivePorts, Json, unknown, ChangeKinds, Json>["steps"],
  "running.announce" | "running.withdraw"
>;

const WAIT = 30_000;

/** An instance that runs by itself becomes known beside the namespace's commit. */
export const runningSteps: Steps = {
  "running.announce": {
    timeoutMs: () => WAIT,
    retryTransient: true,
    async apply({ namespace, job, reserve, instance, machines }, context) {
      const { operation, output, ports } = context;
      const { address } = output(reserve, "reserve");
      const value = { operation, leaving: [], instances: [{ ...instance, address, ready: false }] };
      const revision = await write({ namespace, job }, value, ports.store);
      const wanted = { namespace: runningKey(namespace, job), revision };
      await Promise.all(machines.map((machine) => publish(machine, wanted, context)));
      return { revision };
    },
    undo: (args, { operation, ports }) => withdraw(args, operation, ports.store),
  },
  "running.withdraw": {
    timeoutMs: () => WAIT,
    retryTransient: true,
    async apply(args, { operation, ports }) {
      await withdraw(args, operation, ports.store);
      return null;
    },
  },
};

/** The lease of the job keeps others away; a present value belongs to a dead operation. */
async function write({ namespace, job }: Of, value: Candidates, { facts }: Store): Promise<number> {
  const key = runningKey(namespace, job);
  for (;;) {
    const present = await facts.get(key);
    const written = await facts.put(key, value, present?.revision ?? 0);
    if (written.ok) return written.revision;
  }
}

async function withdraw({ namespace, job }: Of, operation: string, { facts }: Store): Promise<void> {
  const entry = await facts.get(runningKey(namespace, job));
  if (entry?.value.operation === operation) await facts.remove(entry.key, entry.revision);
}
