/** One node of work; `needs` that are not in the graph count as done. */
export interface Node {
  readonly id: string;
  readonly machine?: string;
  readonly needs: readonly string[];
  /** Run before this one, but not needed by it: it starts also when they fail. */
  readonly after?: readonly string[];
}

export interface GraphOptions<N extends Node> {
  readonly parallel: number;
  readonly parallelPerMachine: number;
  /** True when it succeeded; nodes that need a failed one are never started. A throw stops everything. */
  run(node: N): Promise<boolean>;
  /** True: nothing more is started. */
  stopped(): boolean;
  /** Whether a node only waits: it counts for no limit. */
  waits?(node: N): boolean;
  /** Whether a node that comes after this one need not wait for it. */
  passes?(node: N): boolean;
}

/**
 * Runs each node as soon as its needs are done. Settles when nothing runs and nothing can start, so no work outlives it. Resolves
 * with the nodes that were not started.
 */
export async function runGraph<N extends Node>(
  nodes: readonly N[],
  options: GraphOptions<N>,
): Promise<readonly N[]> {
  const waiting = new Map(nodes.map((node) => [node.id, node]));
  const byId = new Map(waiting);
  const notDone = new Set(waiting.keys());
  const running = new Map<string, Promise<void>>();
  const perMachine = new Map<string, number>();
  /** Ran without success, or never will run. */
  const failed = new Set<string>();
  let thrown: { readonly error: unknown } | undefined;

  let counted = 0;
  const waits = (node: N) => options.waits?.(node) === true;
  const count = (node: N, by: number) => {
    if (waits(node)) return;
    counted += by;
    const { machine } = node;
    if (machine !== undefined) perMachine.set(machine, (perMachine.get(machine) ?? 0) + by);
  };
  const block = () => {
    for (let size = -1; size !== failed.size; ) {
      size = failed.size;
      for (const { id, needs } of waiting.values())
        if (needs.some((need) => failed.has(need))) failed.add(id);
    }
  };
  const passed = (id: string) => {
    const node = byId.get(id);
    return node !== undefined && options.passes?.(node) === true;
  };
  const startable = (node: N) =>
    !failed.has(node.id) &&
    node.needs.every((need) => !notDone.has(need)) &&
    (node.after ?? []).every((before) => !notDone.has(before) || failed.has(before) || passed(before)) &&
    (waits(node) ||
      (counted < options.parallel &&
        (node.machine === undefined || (perMachine.get(node.machine) ?? 0) < options.parallelPerMachine)));

  const start = (node: N) => {
    waiting.delete(node.id);
    count(node, 1);
    const work = options.run(node).then(
      (ok) => {
        if (ok) notDone.delete(node.id);
        else failed.add(node.id);
      },
      (error: unknown) => {
        thrown ??= { error };
      },
    );
    const ended = work.then(() => {
      count(node, -1);
      running.delete(node.id);
    });
    running.set(node.id, ended);
  };

  for (;;) {
    block();
    for (const node of [...waiting.values()]) {
      if (thrown || options.stopped()) break;
      if (startable(node)) start(node);
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  if (thrown) throw thrown.error;
  return [...waiting.values()];
}

/**
 * The order in which steps are undone: each after those that needed it, directly or through steps that are not in `undoable`. Only one on
 * the same machine must be undone for that: an address is not freed under a running instance, but what cannot be undone on a machine
 * that is gone keeps nothing stopped on another.
 */
export function undoOrder<N extends Node>(
  steps: readonly N[],
  undoable: (step: N) => boolean,
): readonly (Node & { readonly step: N })[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const dependents = new Map<string, Set<N>>();
  const through = (ids: readonly string[], dependent: N) => {
    for (const id of ids) {
      const step = byId.get(id);
      if (step === undefined) continue;
      const known = dependents.get(id) ?? new Set();
      if (known.has(dependent)) continue;
      dependents.set(id, known.add(dependent));
      if (!undoable(step)) through(step.needs, dependent);
    }
  };
  const undone = steps.filter(undoable);
  for (const step of undone) through(step.needs, step);
  const apart = (a: N, b: N) => a.machine !== undefined && b.machine !== undefined && a.machine !== b.machine;
  return undone.reverse().map((step) => {
    const before = [...(dependents.get(step.id) ?? [])];
    return {
      ...{ id: step.id, step },
      ...(step.machine !== undefined && { machine: step.machine }),
      needs: before.filter((other) => !apart(step, other)).map(({ id }) => id),
      after: before.filter((other) => apart(step, other)).map(({ id }) => id),
    };
  });
}
