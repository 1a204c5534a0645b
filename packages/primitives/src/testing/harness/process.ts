import { PloyzError } from "@ployz/errors";
import type { Clock } from "../../engine/clock.ts";
import type { EngineDeps, Outcome } from "../../engine/deps.ts";
import { nestedOperations } from "../../engine/nested.ts";
import { runOperation } from "../../engine/run.ts";
import type { Kinds, Primitive, PrimitivePorts, Summary } from "../../engine/types.ts";
import { ulid } from "../../model/ids.ts";
import type { Json } from "../../model/json.ts";
import { interpose } from "./interpose.ts";
import type { World } from "./scenario.ts";

/** What happens at one call of a process to its ports, counted from 0, before the call's effect or after it. */
export interface Fault {
  readonly at: number;
  readonly when: "before" | "after";
  readonly kind: "crash" | "pause" | "unavailable" | "abort" | "call";
  /** Of a pause: milliseconds. */
  readonly ms?: number;
  /** What else happens at this moment. */
  readonly also?: () => void;
}

/** What daemons of a world know of each other; shared by its processes. */
export interface Cluster {
  /** What each process has accepted and not ended. */
  readonly running: Map<object, { readonly machine: string; readonly operation: string }>;
  /** Machines whose daemon does not answer. */
  readonly down: Set<string>;
  /** Deterministic: the same in every world that has done the same. */
  newOperationId(): string;
}

/** What the daemons of a world share. */
export function createCluster(clock: Clock): Cluster {
  let n = 0;
  return {
    running: new Map(),
    down: new Set(),
    newOperationId() {
      // The counter is what the tail of a name is made of, so that no two operations share one.
      n += 1;
      const bytes = new Uint8Array(10);
      new DataView(bytes.buffer).setUint32(6, n);
      return ulid(clock.now() + n, () => bytes);
    },
  };
}

/** One daemon that runs one command. */
export interface Process {
  /** Resolves with `crashed` when a fault killed it. */
  run(): Promise<Outcome | "crashed" | "stuck">;
  /** Calls made to the ports so far, by name. */
  readonly trace: readonly string[];
  readonly crashed: boolean;
}

const HOUR = 3_600_000;
const never = new Promise<never>(() => {});

/** One daemon that runs one command: its ports and its clock stop for ever when it crashes, and stand still while it is paused. */
export function openProcess<
  Ports extends PrimitivePorts,
  In extends Json,
  F,
  K extends Kinds,
  R extends Json,
>(
  world: World<Ports>,
  cluster: Cluster,
  options: {
    readonly primitive: Primitive<Ports, In, F, K, R, Summary, unknown>;
    readonly input: unknown;
    readonly machine: string;
    readonly faults?: readonly Fault[];
  },
): Process {
  const { machine, faults = [] } = options;
  const trace: string[] = [];
  const operator = new AbortController();
  /** Operations that this one runs within its steps. */
  const nested = new Set<object>();
  let dead = false;
  let pausedUntil = 0;
  let die: () => void = () => {};
  const death = new Promise<"crashed">((resolve) => {
    die = () => {
      dead = true;
      for (const key of [trace, ...nested]) cluster.running.delete(key);
      resolve("crashed");
    };
  });

  const awake = async (): Promise<void> => {
    while (!dead && world.clock.now() < pausedUntil) await world.clock.sleep(pausedUntil - world.clock.now());
    if (dead) await never;
  };
  const point = async (at: number, when: Fault["when"], name: string): Promise<void> => {
    for (const fault of faults) {
      if (fault.at !== at || fault.when !== when) continue;
      if (fault.kind === "crash") die();
      if (fault.kind === "abort") operator.abort();
      if (fault.kind === "pause") pausedUntil = world.clock.now() + (fault.ms ?? 60_000);
      fault.also?.();
      if (fault.kind === "unavailable" && !dead) {
        const code = name.startsWith("store.") ? "store_unavailable" : "machine_unreachable";
        await awake();
        throw new PloyzError({ code, message: `injected ${when} ${name}` });
      }
    }
    await awake();
  };

  const ports = interpose(world.ports, async (name, args, effect) => {
    await awake();
    const at = trace.length;
    trace.push(name === "machines.call" ? `${String(args[1])} on ${String(args[0])}` : name);
    await point(at, "before", name);
    try {
      return await (answerRunning(cluster, name, args) ?? effect());
    } finally {
      await point(at, "after", name);
    }
  });

  const clock: Clock = {
    now: () => world.clock.now(),
    async sleep(ms, signal) {
      await world.clock.sleep(ms, signal);
      await awake();
    },
  };

  const within: Ports = {
    ...ports,
    operations: nestedOperations({
      find(name) {
        const found = world.primitives?.get(name);
        return found && { ...found, ports };
      },
      deps: () => deps,
      track(operation) {
        const key = {};
        nested.add(key);
        if (!dead) cluster.running.set(key, { machine, operation });
        return { emit: () => {}, end: () => void cluster.running.delete(key) };
      },
    }),
  };
  const deps: EngineDeps<Ports> = {
    ports: within,
    clock,
    ids: cluster,
    self: { machine, by: `root@${machine}` },
    generation: () => 1,
    emit(event) {
      if (event.type === "accepted") cluster.running.set(trace, { machine, operation: event.operation });
    },
    signal: operator.signal,
    ...(world.primitives && { primitives: world.primitives }),
  };

  return {
    trace,
    get crashed() {
      return dead;
    },
    async run() {
      cluster.down.delete(machine);
      const over = new AbortController();
      const { primitive, input } = options;
      const outcome = await Promise.race([
        runOperation(primitive, { input, mode: "apply" }, deps),
        death,
        world.clock.sleep(HOUR, over.signal).then(() => "stuck" as const),
      ]);
      over.abort();
      if (outcome !== "crashed") cluster.running.delete(trace);
      return outcome;
    },
  };
}

/** Coordinating daemons answer for themselves; other machines through the world's own ports. */
function answerRunning(
  cluster: Cluster,
  name: string,
  args: readonly unknown[],
): Promise<unknown> | undefined {
  const [machine, command, asked] = args as readonly [string, string, { readonly operation: string }];
  if (name !== "machines.call" || command !== "operation.running") return undefined;
  if (cluster.down.has(machine)) {
    return Promise.reject(new PloyzError({ code: "machine_unreachable", message: `${machine} is down` }));
  }
  const all = [...cluster.running.values()];
  return Promise.resolve({
    running: all.some((one) => one.machine === machine && one.operation === asked.operation),
  });
}
