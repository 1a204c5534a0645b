import { errorBody } from "@ployz/errors";
import type { Session } from "@ployz/nats-store";
import { type OperationRecord, recordedResult, unfinishedOn } from "@ployz/primitives/host";
import type { Commit, Machines, OperationResult, Store } from "@ployz/primitives/protocol";
import type { Logger } from "pino";
import type { Stopped } from "../state/stopped.ts";
import type { Runner } from "./runner.ts";

/**
 * Why this machine ends an operation that no machine runs. `stopped`: it is not committed, and keeps an instance here stopped. `owed`: it
 * began here, or owes something here. Undefined: it is left to a command, which resumes it or undoes it. Pure.
 */
export function ownReason(
  { coordinator, scope, plan }: Pick<OperationRecord, "coordinator" | "scope" | "plan">,
  { state, owed }: Pick<OperationResult, "state" | "owed">,
  here: { readonly self: string; readonly stopped: readonly string[] },
): "stopped" | "owed" | undefined {
  if (state === "interrupted")
    return here.stopped.some((namespace) => scope.includes(`deploy.${namespace}`)) ? "stopped" : undefined;
  const steps = [...(plan?.prepare ?? []), ...(plan?.settle ?? [])];
  const machines = owed.map(({ step }) => steps.find(({ id }) => id === step)?.machine);
  return coordinator === here.self || machines.includes(here.self) ? "owed" : undefined;
}

export interface UnfinishedOptions {
  readonly store: Store;
  readonly machines: Machines;
  readonly runner: Pick<Runner, "isRunning" | "resolve">;
  readonly self: string;
  readonly signal: AbortSignal;
  readonly session: Pick<Session, "onEvent">;
  /** The last commit of every namespace. */
  heads(): readonly { readonly commit: Commit }[];
  /** Instances that operations keep stopped on this machine. */
  readonly stopped: Pick<Stopped, "has">;
  /** Starts one that no operation will. */
  resume(id: string): Promise<unknown>;
  readonly log: Pick<Logger, "error">;
}

const TICK_MS = 3_000;
/** How long after its runner is gone an operation is left to the command that may resume it. */
const GRACE_MS = 5_000;
const RETRY_MS = 30_000;

/**
 * Ends unfinished operations of this machine at the next chance: when the daemon starts, when it has the store again, when a machine that
 * owes something answers again. One that keeps a service stopped here and has lost its runner is undone after a short time.
 */
export function watchUnfinished(options: UnfinishedOptions) {
  const { store, machines, runner, self, signal } = options;
  const failed = (error: unknown, what: string) => options.log.error({ err: error, what }, "unfinished");
  /** Committed ones. */
  const stoppedHere = () =>
    options
      .heads()
      .flatMap(({ commit: { namespace, instances } }) =>
        instances.flatMap(({ id }) => (options.stopped.has(id) ? [{ id, namespace }] : [])),
      );
  const since = new Map<string, number>();
  let [nextLook, looking] = [Number.POSITIVE_INFINITY, false];

  const answers = async (machine: string): Promise<boolean> =>
    machines.call(machine, "operation.running", { operation: "none" }, { timeoutMs: 2_000, signal }).then(
      () => true,
      () => false,
    );
  /** A machine that is away delays nothing: its steps are tried when it answers. */
  const canEnd = async ({ plan }: OperationRecord, { owed }: OperationResult): Promise<boolean> => {
    const steps = [...(plan?.prepare ?? []), ...(plan?.settle ?? [])];
    const machine = owed.map(({ step }) => steps.find(({ id }) => id === step)?.machine);
    const named = [...new Set(machine.flatMap((id) => id ?? []))];
    return named.length === 0 || (await Promise.all(named.map(answers))).some(Boolean);
  };

  async function look(): Promise<void> {
    nextLook = Number.POSITIVE_INFINITY;
    const found = await unfinishedOn(store.journals);
    const held = new Set((await store.leases.list()).map(({ scope }) => scope));
    const stopped = [...new Set(stoppedHere().map(({ namespace }) => namespace))];
    for (const { record } of found) {
      const { operation } = record;
      if (signal.aborted) return;
      if (runner.isRunning(operation) || record.scope.some((scope) => held.has(scope))) {
        since.delete(operation);
        continue;
      }
      const result = await recordedResult(record, store);
      const reason = ownReason(record, result, { self, stopped });
      if (reason === undefined) continue;
      const alone =
        Date.now() - (since.get(operation) ?? since.set(operation, Date.now()).get(operation) ?? 0);
      if (reason === "stopped" ? alone < GRACE_MS : !(await canEnd(record, result))) {
        nextLook = Math.min(nextLook, Date.now() + (reason === "stopped" ? 0 : RETRY_MS));
        continue;
      }
      const ended = await end(operation, reason);
      if (ended === "cleanup-owed") nextLook = Math.min(nextLook, Date.now() + RETRY_MS);
    }
    const kept = new Set([...held, ...found.flatMap(({ record }) => record.scope)]);
    for (const { id, namespace } of stoppedHere()) {
      if (kept.has(`deploy.${namespace}`)) continue;
      await options.resume(id).catch((error: unknown) => failed(error, id));
    }
  }

  async function end(operation: string, reason: "stopped" | "owed"): Promise<string | undefined> {
    const why = {
      code: "interrupted",
      message: `operation ${operation} lost its runner and has been undone, since it kept a service stopped on ${self}`,
      operationId: operation,
    };
    try {
      return (await runner.resolve(operation, self, { why, quick: reason === "owed" })).state;
    } catch (error) {
      // Another machine ends it, or a command has taken it.
      if (errorBody(error).code !== "scope_busy") failed(error, operation);
      return undefined;
    }
  }

  const timer = setInterval(() => {
    if (looking || (Date.now() < nextLook && stoppedHere().length === 0)) return;
    looking = true;
    look()
      .catch((error: unknown) => {
        nextLook = Date.now() + RETRY_MS;
        if (errorBody(error).code !== "store_unavailable") failed(error, "");
      })
      .finally(() => {
        looking = false;
      });
  }, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  const chance = () => {
    nextLook = 0;
  };
  options.session.onEvent((event) => event === "connected" && chance());
  /** There may be something to end now. */
  return { chance };
}
