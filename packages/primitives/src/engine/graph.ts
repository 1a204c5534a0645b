/** One node of work; `needs` that are not in the graph count as done. */
export interface Node {
  readonly id: string;
  readonly machine?: string;
  readonly needs: readonly string[];
}

export interface GraphOptions<N extends Node> {
  readonly parallel: number;
  readonly parallelPerMachine: number;
  /** True when it succeeded; nodes that need a failed one are never started. A throw stops everything. */
  run(node: N): Promise<boolean>;
  /** True: nothing more is started. */
  stopped(): boolean;
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
  const notDone = new Set(waiting.keys());
  const running = new Map<string, Promise<void>>();
  const perMachine = new Map<string, number>();
  let thrown: { readonly error: unknown } | undefined;

  const count = (machine: string | undefined, by: number) => {
    if (machine !== undefined) perMachine.set(machine, (perMachine.get(machine) ?? 0) + by);
  };
  const startable = (node: N) =>
    node.needs.every((need) => !notDone.has(need)) &&
    (node.machine === undefined || (perMachine.get(node.machine) ?? 0) < options.parallelPerMachine);

  const start = (node: N) => {
    waiting.delete(node.id);
    count(node.machine, 1);
    const work = options.run(node).then(
      (ok) => {
        if (ok) notDone.delete(node.id);
      },
      (error: unknown) => {
        thrown ??= { error };
      },
    );
    const ended = work.then(() => {
      count(node.machine, -1);
      running.delete(node.id);
    });
    running.set(node.id, ended);
  };

  for (;;) {
    for (const node of [...waiting.values()]) {
      if (thrown || options.stopped() || running.size >= options.parallel) break;
      if (startable(node)) start(node);
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  if (thrown) throw thrown.error;
  return [...waiting.values()];
}

/** The same nodes with reversed edges: each needs the nodes that needed it. */
export function reversed<N extends Node>(nodes: readonly N[]): readonly (N & Node)[] {
  const neededBy = new Map<string, string[]>();
  for (const node of nodes) {
    for (const need of node.needs) neededBy.set(need, [...(neededBy.get(need) ?? []), node.id]);
  }
  return [...nodes].reverse().map((node) => ({ ...node, needs: neededBy.get(node.id) ?? [] }));
}
