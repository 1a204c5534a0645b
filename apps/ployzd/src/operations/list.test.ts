import { createMemoryStore } from "@ployz/primitives/testing";
import { expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import { listOperations } from "./list.ts";

it("lists the newest operations of some primitives, however many others came after them", async () => {
  const store = createMemoryStore({ clock: systemClock });
  for (let at = 0; at < 40; at++) {
    const id = `01M849JKMJKJNHP441C7VF00${String(at).padStart(2, "0")}`;
    await store.journals.putSummary(id, {
      ...{ operation: id, primitive: at < 5 ? "image-rm" : "deploy", scope: [], state: "done" },
      ...{ coordinator: "m1", by: "root@m1", startedAt: "2026-01-01T00:00:00Z", title: "x" },
    });
  }
  const tails = async (limit: number, primitives?: readonly string[]) =>
    (await listOperations(store, limit, primitives)).map(({ operation }) => Number(operation.slice(-2)));
  expect(await tails(2)).toEqual([39, 38]);
  expect(await tails(3, ["image-rm"])).toEqual([4, 3, 2]);
  expect(await tails(9, ["image-rm"])).toEqual([4, 3, 2, 1, 0]);
  expect(await tails(9, ["image-distribute"])).toEqual([]);
  expect(await tails(0, ["image-rm"])).toEqual([]);
});
