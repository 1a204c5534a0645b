import { errorBody, PloyzError as WireError } from "@ployz/errors";
import type { OperationEvent } from "../model/operation.ts";
import type { NestedOptions, Operations } from "../ports/operations.ts";
import { sameJson } from "./canonical.ts";
import { abortController } from "./clock.ts";
import type { EngineDeps, RegisteredPrimitive } from "./deps.ts";
import { unfinishedOn } from "./predecessors.ts";
import { resolveInterrupted } from "./resolve.ts";
import { runOperation } from "./run.ts";

export interface NestingOptions {
  find(primitive: string): RegisteredPrimitive | undefined;
  /** Of the operation that the others are part of. */
  deps(): Omit<EngineDeps, "ports" | "emit" | "signal">;
  /** Called for each operation that begins, with the controller that aborts it. */
  track(operation: string, abort: AbortController): Tracked;
}

/** Receives the events of an operation, and its end. */
export interface Tracked {
  emit(event: OperationEvent): void;
  end(): void;
}

/** The port over `runOperation`: each run is an operation like any other. */
export function nestedOperations({ find, deps, track }: NestingOptions): Operations {
  const known = (primitive: string): RegisteredPrimitive => {
    const found = find(primitive);
    if (found === undefined) throw new Error(`there is no primitive ${primitive} to run within another`);
    return found;
  };
  return {
    async run({ primitive, input }, options) {
      const found = known(primitive);
      const abort = abortController();
      let tracked: Tracked | undefined;
      const emit = (event: OperationEvent) => {
        if (event.type === "accepted") {
          tracked?.end(); // the guess at which one is resumed was wrong
          tracked = track(event.operation, abort);
        }
        tracked?.emit(event);
        tell(event, options);
      };
      try {
        const signal = AbortSignal.any([options.signal, abort.signal]);
        const own = { ...deps(), ports: found.ports, emit, signal };
        const outcome = await runOperation(found.primitive, { input, mode: "apply" }, own);
        const committed = outcome.kind === "operation" && (outcome.changed || outcome.state === "done");
        if (outcome.kind === "operation" && committed) return outcome;
        const why = outcome.kind === "refused" ? outcome.refusals[0] : outcome.error;
        throw new WireError(why ?? { code: "internal", message: `${primitive} ended without a reason` });
      } finally {
        tracked?.end();
      }
    },
    async clear({ primitive, input }) {
      const found = known(primitive);
      const { store } = found.ports;
      for (const { record } of await unfinishedOn(store.journals)) {
        if (record.primitive !== primitive || !sameJson(record.input, input)) continue;
        const own = { ...deps(), store, emit: () => {}, signal: new AbortController().signal };
        await resolveInterrupted(new Map([[primitive, found]]), record.operation, own).catch(
          (error: unknown) => {
            if (errorBody(error).code !== "scope_busy") throw error; // another runner has it, and ends it
          },
        );
      }
    },
  };
}

function tell(event: OperationEvent, { progress }: NestedOptions): void {
  if (event.type === "waiting") progress(`waiting for ${event.what}`);
  if (event.type === "step" && event.state === "started") progress(event.title);
  if (event.type === "progress") {
    const { note, done, total } = event;
    progress(note, { ...(done !== undefined && { done }), ...(total !== undefined && { total }) });
  }
}
