import { expect, it } from "vitest";
import { HIGHEST_STORE_PORT, overlayStorePorts, storePorts } from "./store-ports.ts";

it("gives two generations that follow one another no port in common", () => {
  for (const generation of [1, 2, 7]) {
    const both = [generation, generation + 1].flatMap((one) => Object.values(storePorts(4222, one)));
    expect(new Set(both).size).toBe(6);
  }
  expect(storePorts(4222, 1)).toEqual({ client: 4222, route: 6222, monitor: 8222 });
});

it("names every port on the overlay, and none beyond the last", () => {
  expect([...overlayStorePorts(4222)].sort()).toEqual([4222, 4232, 6222, 6232]);
  expect(Math.max(...overlayStorePorts(HIGHEST_STORE_PORT))).toBe(65_535);
});
