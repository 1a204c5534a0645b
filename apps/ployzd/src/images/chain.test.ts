import { expect, it } from "vitest";
import { inChain } from "./chain.ts";

const together = ["b", "c", "d", "e", "f"];
const sources = ["a"];

it("each part is taken from a holder by one machine, and by each other one from the machine before it", () => {
  for (let part = 0; part < 12; part++) {
    const chains = together.map((self) => ({ self, ...inChain({ sources, together }, self, part) }));
    const heads = chains.filter(({ follows }) => follows.length === 0);
    expect(heads.map(({ self }) => self)).toEqual([together[part % together.length]]);
    expect(heads[0]?.others[0]).toBe("a");
    // No machine is followed twice, or follows itself over others.
    const before = new Map(
      chains.flatMap(({ self, follows: [next] }) => (next ? [[self, next] as const] : [])),
    );
    expect(new Set(before.values()).size).toBe(together.length - 1);
    for (const { self, follows } of chains)
      for (const one of follows) {
        const seen = new Set<string>();
        for (let next: string | undefined = one; next !== undefined; next = before.get(next)) {
          expect(next).not.toBe(self);
          expect(seen.has(next)).toBe(false);
          seen.add(next);
        }
      }
  }
});

it("every other machine is a source in the end, each once", () => {
  for (const self of together) {
    const { follows, others } = inChain({ sources: ["a", "g"], together }, self, 3);
    expect([...follows, ...others].sort()).toEqual(["a", ...together, "g"].filter((id) => id !== self));
  }
});

it("forty machines are five circles, and later ones take parts from earlier ones", () => {
  const many = Array.from({ length: 40 }, (_, n) => `m${n + 10}`);
  const chains = many.map((self) => inChain({ sources, together: many }, self, 2));
  expect(chains.filter(({ follows }) => follows.length === 0)).toHaveLength(5);
  const firsts = chains.flatMap(({ follows, others }) => (follows.length === 0 ? [others[0]] : []));
  expect(new Set(firsts).size).toBeGreaterThan(2);
});

it("a machine that gets it alone asks its sources, each part another one first", () => {
  expect(inChain({ sources: ["a", "g"] }, "b", 1)).toEqual({ follows: [], others: ["g", "a"] });
});
