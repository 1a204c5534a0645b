import { errorBody } from "@ployz/errors";
import {
  type AnyPrimitive,
  type EngineDeps,
  type MachineAddPorts,
  type PrimitiveRegistry,
  runOperation,
  type UpdateSource,
} from "@ployz/primitives";
import {
  detailOf,
  endUnreadable,
  findPrepared,
  fold,
  isFinal,
  markInterrupted,
  nestedOperations,
  readJournal,
  recordedResult,
  resolveInterrupted,
} from "@ployz/primitives/host";
import type {
  Joiner,
  Machines,
  OperationDetail,
  OperationEvent,
  OperationRequest,
  OperationResult,
  OperationSummary,
  Store,
} from "@ployz/primitives/protocol";
import { type Channel, channel } from "../channel.ts";
import { operationIds, systemClock } from "../clock.ts";
import { PloyzError } from "../error-codes.ts";
import type { SshCredentials } from "../remote/ssh.ts";
import { listOperations, notableOperations } from "./list.ts";
import { primitivesOf } from "./primitives.ts";
import { followElsewhere, hasEnded, mayGoOn, recordOf } from "./record.ts";

/** Runs operations in this daemon. They continue after their caller disconnects. */
export interface Runner {
  /** `joiner`: the machine that waits for the answer, if any. */
  run(request: OperationRequest, joiner?: Joiner): AsyncIterable<OperationEvent>;
  isRunning(operation: string): boolean;
  isEnding(operation: string): boolean;
  running(): readonly string[];
  /** Newest first; with `primitives` only those of them. */
  list(limit: number, primitives?: readonly string[]): Promise<readonly OperationSummary[]>;
  /** For an overview: all unfinished ones, and the newest others but for a schedule's runs that ended well. */
  notable(): Promise<readonly OperationSummary[]>;
  show(operation: string): Promise<OperationDetail>;
  events(operation: string, signal: AbortSignal): AsyncIterable<OperationEvent>;
  /** Aborts it here, or, if it runs nowhere, undoes or finishes it now. */
  abort(
    operation: string,
    by: string,
    giveUp?: readonly string[],
  ): Promise<OperationResult | { readonly state: "running" }>;
  /** Undoes one that was interrupted, finishes one that is committed. `why`: the error of one that is undone. */
  resolve(operation: string, by: string, how?: Ending): Promise<OperationResult>;
  /** Ends an operation whose journal cannot be read; undefined when it can be, or when the operation runs. */
  endUnreadable(operation: string): Promise<OperationSummary | undefined>;
  /** At the start of the daemon. Resolves with the operations that it marked as interrupted. */
  markInterrupted(): Promise<readonly string[]>;
}

export interface RunnerOptions {
  readonly store: Store;
  readonly machines: Machines;
  readonly self: string;
  generation(): number;
  /** The SSH port lives for one request only, because it holds the operator's credentials. */
  openRemote(credentials: SshCredentials): MachineAddPorts["remote"] & { close(): void };
  readonly machineAdd: Omit<MachineAddPorts, "store" | "machines" | "remote">;
  readonly source: UpdateSource;
  log(error: unknown, operation: string): void;
  /** An operation has ended here, and owes something. */
  owes(): void;
  /** Hears every event of an operation that runs here. */
  heard(event: OperationEvent): void;
}

interface Active {
  readonly abort: AbortController;
  /** It is only undone or finished: a command that needs its scope waits for it. */
  readonly ending?: boolean;
  readonly history: OperationEvent[];
  readonly watchers: Set<Channel<OperationEvent>>;
}

/** No machine waits: the request did not come over the join port, or this resolves an interrupted join. */
const NOBODY: Joiner = {
  deliver: () =>
    Promise.reject(
      new PloyzError({
        code: "joiner_gone",
        message: "no new machine is waiting for the answer",
        hint: "run on the new machine: ployzctl mesh join --token-stdin",
      }),
    ),
  retract: () => Promise.resolve(),
};

type Ending = NonNullable<Parameters<typeof resolveInterrupted>[3]>;

export function openRunner(options: RunnerOptions): Runner {
  const { store, machines, self } = options;
  const active = new Map<string, Active>();

  const registryWith = (
    remote: MachineAddPorts["remote"],
    by: string,
    joiner: Joiner = NOBODY,
  ): PrimitiveRegistry => {
    const operations = nestedOperations({
      find: (name) => registry.get(name),
      deps: () => ({ ...own(by), primitives: registry }),
      track(operation, abort) {
        const entry: Active = { abort, history: [], watchers: new Set() };
        active.set(operation, entry);
        return {
          emit: (event) => publish(entry, event),
          end() {
            active.delete(operation);
            for (const watcher of entry.watchers) watcher.end();
          },
        };
      },
    });
    const registry = primitivesOf({
      ...{ store, machines, remote, operations, source: options.source },
      ...{ joiner, now: systemClock.now },
      ...options.machineAdd,
    });
    return registry;
  };

  const own = (by: string): Pick<EngineDeps, "clock" | "ids" | "self" | "generation"> => ({
    clock: systemClock,
    ids: operationIds,
    self: { machine: self, by },
    generation: options.generation,
  });

  async function execute(request: OperationRequest, entry: Active, joiner?: Joiner): Promise<void> {
    const remote = options.openRemote(request.credentials ?? {});
    let id: string | undefined;
    const emit = (event: OperationEvent) => {
      if (event.type === "accepted" && request.mode === "apply") {
        if (id !== undefined) active.delete(id); // another operation is resumed than expected
        id = event.operation;
        active.set(id, entry);
      }
      publish(entry, event);
    };
    try {
      const registry = registryWith(remote, request.by, joiner);
      const asked = await askedFor(request);
      if ("result" in asked) return publish(entry, { type: "result", result: asked.result });
      const found = registry.get(asked.primitive);
      if (found === undefined) {
        const refusal = {
          code: "invalid_input",
          message: `primitive: ${asked.primitive.slice(0, 60)} is unknown`,
          hint: "ployzctl and ployzd may have different versions; compare with: ployzctl version",
        };
        return publish(entry, { type: "refused", refusals: [refusal] });
      }
      await runOperation(
        found.primitive as AnyPrimitive,
        { input: asked.input, mode: request.mode, ...(asked.prepared && { prepared: asked.prepared }) },
        {
          ...own(request.by),
          ...{ emit, signal: entry.abort.signal },
          ...{ ports: found.ports, primitives: registry },
        },
      );
    } catch (error) {
      options.log(error, id ?? request.primitive);
      publish(entry, { type: "refused", refusals: [errorBody(error)] });
    } finally {
      if (id !== undefined) active.delete(id);
      for (const watcher of entry.watchers) watcher.end();
      remote.close();
    }
  }

  async function resolve(operation: string, by: string, how: Ending = {}): Promise<OperationResult> {
    const entry: Active = { abort: new AbortController(), history: [], watchers: new Set(), ending: true };
    const remote = options.openRemote({});
    const emit = (event: OperationEvent) => {
      if (event.type === "accepted") active.set(operation, entry);
      publish(entry, event);
    };
    try {
      const deps = { ...own(by), emit, signal: entry.abort.signal, store };
      const result = await resolveInterrupted(registryWith(remote, by), operation, deps, how);
      publish(entry, { type: "result", result });
      return result;
    } finally {
      if (active.get(operation) === entry) active.delete(operation);
      for (const watcher of entry.watchers) watcher.end();
      remote.close();
    }
  }

  /** The requested operation: the request itself, or a prepared plan. For an already applied plan, reports its result instead of repeating it. */
  async function askedFor({ primitive, input, prepared: id }: OperationRequest) {
    if (id === undefined) return { primitive, input };
    const plan = await findPrepared(store, id, Date.now());
    const applied = fold(await readJournal(store.journals, id));
    if (applied !== undefined && isFinal(applied.state))
      return { result: await recordedResult(applied, store) };
    return { primitive: plan.primitive, input: plan.input, prepared: { id, hash: plan.hash } };
  }

  function publish(entry: Active, event: OperationEvent): void {
    if (event.type === "result" && event.result.state === "cleanup-owed") options.owes();
    options.heard(event);
    entry.history.push(event);
    for (const watcher of entry.watchers) watcher.push(event);
  }

  async function* watch(entry: Active, signal?: AbortSignal): AsyncIterable<OperationEvent> {
    const events = channel<OperationEvent>();
    for (const past of entry.history) events.push(past);
    entry.watchers.add(events);
    const leave = () => events.end();
    signal?.addEventListener("abort", leave, { once: true });
    try {
      yield* events;
    } finally {
      signal?.removeEventListener("abort", leave);
      entry.watchers.delete(events);
    }
  }

  return {
    run(request, joiner) {
      const entry: Active = { abort: new AbortController(), history: [], watchers: new Set() };
      const events = watch(entry);
      const iterator = events[Symbol.asyncIterator]();
      const first = iterator.next(); // subscribe before anything is published
      void execute(request, entry, joiner);
      return (async function* () {
        try {
          for (let next = await first; next.done !== true; next = await iterator.next()) {
            yield next.value;
            if (
              next.value.type === "refused" ||
              next.value.type === "result" ||
              (request.mode !== "apply" && next.value.type === "plan")
            )
              return;
          }
        } finally {
          await iterator.return?.(undefined); // the caller disconnected: keep no events for it
        }
      })();
    },
    isRunning: (operation) => active.has(operation),
    isEnding: (operation) => active.get(operation)?.ending === true,
    running: () => [...active.keys()],
    list: (limit, primitives) => listOperations(store, limit, primitives),
    notable: () => notableOperations(store),
    show: async (operation) => detailOf(await recordOf(store, operation)),
    async *events(operation, signal) {
      const here = active.get(operation);
      if (here !== undefined) {
        yield* watch(here, signal);
        return;
      }
      const record = await recordOf(store, operation);
      // An operation that is long without a runner, interrupted or owing clean-up, emits no more events either.
      if (await mayGoOn(store, record)) yield* followElsewhere(store, operation, signal);
      else yield { type: "result", result: await recordedResult(record, store) };
    },
    async abort(operation, by, giveUp) {
      const here = active.get(operation);
      if (here !== undefined && here.ending !== true) {
        here.abort.abort(new PloyzError({ code: "aborted", message: "the operator aborted it" }));
        return { state: "running" };
      }
      const { state } = await recordOf(store, operation);
      if (isFinal(state)) throw hasEnded(operation, state);
      return resolve(operation, by, giveUp && { giveUp });
    },
    endUnreadable: async (operation) =>
      active.has(operation) ? undefined : endUnreadable(store, operation, systemClock),
    resolve,
    markInterrupted: () =>
      markInterrupted({
        store,
        machine: self,
        clock: systemClock,
        ids: operationIds,
        isRunning: (operation) => active.has(operation),
      }),
  };
}
