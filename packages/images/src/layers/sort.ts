import type { Layer } from "./store.ts";

/** A layer after the one below it. */
export function lowestFirst(layers: readonly Layer[]): readonly Layer[] {
  const rest = new Map(layers.map((layer) => [layer.chain, layer]));
  const sorted: Layer[] = [];
  const take = (layer: Layer) => {
    const stack = [layer];
    for (let below = rest.get(layer.parent ?? ""); below !== undefined; below = rest.get(below.parent ?? ""))
      stack.push(below);
    for (const one of stack.reverse()) if (rest.delete(one.chain)) sorted.push(one);
  };
  for (const layer of layers) take(layer);
  return sorted;
}
