import { expect, it } from "vitest";
import { judge } from "./room.ts";

const MIB = 2 ** 20;

it("a server that was started again for room is not started again for the same room", () => {
  for (let free = 0; free <= 8192; free += 64)
    for (let used = 0; used <= 8192; used += 64) {
      const room = { freeBytes: free * MIB, usedBytes: used * MIB };
      if (!judge({ ...room, error: "no space left on device" }).enough) continue;
      expect(judge({ ...room, allowedBytes: 0.75 * room.freeBytes }).full).toBe(false);
    }
});

it.each([
  [{ error: "JetStream stream: write: no space left on device" }, true],
  [{ allowedBytes: 100 * MIB }, true],
  [{ allowedBytes: 200 * MIB }, false],
  [{ error: "not current" }, false],
])("%j is full: %s", (of, full) => {
  expect(judge({ ...of, freeBytes: 10 * MIB, usedBytes: 98 * MIB }).full).toBe(full);
});
