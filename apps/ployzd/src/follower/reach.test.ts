import { expect, it, vi } from "vitest";
import { answersTcp, openReach, type Place } from "./reach.ts";

it("leaves out a server after three silent questions, and takes it back with its first answer", async () => {
  const [one, other]: readonly Place[] = [
    { address: "10.101.1.2", port: 53 },
    { address: "10.101.2.2", port: 53 },
  ] as const;
  const silent = new Set<string>();
  const heard: boolean[] = [];
  let asked = 0;
  const reach = openReach({
    intervalMs: 1,
    answers: async ({ address }) => {
      if (address === other?.address) asked++;
      return !silent.has(address);
    },
    changed: () => other && heard.push(reach.isDown(other)),
  });
  if (one === undefined || other === undefined) throw new Error("two servers");
  reach.watch([one, other]);
  silent.add(other.address);
  await vi.waitFor(() => expect(heard).toEqual([true]));
  expect(asked).toBeGreaterThanOrEqual(3);
  expect(reach.isDown(one)).toBe(false);
  reach.watch([one, other, { address: "10.101.3.2", port: 53 }]);
  expect(reach.isDown(other)).toBe(true);
  silent.clear();
  await vi.waitFor(() => expect(heard).toEqual([true, false]));
  reach.close();
});

it("takes a refused connection for an answer", async () => {
  expect(await answersTcp({ address: "127.0.0.1", port: 1 }, 2_000)).toBe(true);
});
