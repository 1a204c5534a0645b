/** Random numbers that a seed determines. */
export interface Draw {
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number;
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;
  pick<T>(from: readonly T[]): T;
  /** By weight. */
  weighted<T>(from: readonly (readonly [weight: number, value: T])[]): T;
  chance(probability: number): boolean;
}

/** Marsaglia's xorshift of 32 bits, started from a mixed seed. */
export function draw(seed: number): Draw {
  let state = Math.imul((seed >>> 0) + 0x9e3779b9, 0x85ebca6b) || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 8; i++) next();
  const below = (limit: number) => Math.floor(next() * limit);
  const self: Draw = {
    below,
    between: (least, most) => least + below(most - least + 1),
    pick: (from) => from[below(from.length)] as (typeof from)[number],
    weighted(from) {
      let left = next() * from.reduce((sum, [weight]) => sum + weight, 0);
      const found = from.find(([weight]) => {
        left -= weight;
        return left < 0;
      });
      if (found === undefined) throw new Error("nothing to draw from");
      return found[1];
    },
    chance: (probability) => next() < probability,
  };
  return self;
}
