import { createMemoryStore } from "@ployz/primitives/testing";
import { expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import { listOperations, notableOperations } from "./list.ts";

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

it("an overview has what people did and all that is unfinished, however often a standby was copied since", async () => {
  const store = createMemoryStore({ clock: systemClock });
  const put = (at: number, state: "done" | "failed" | "cleanup-owed", by: string) => {
    const id = `01M849JKMJKJNHP441C7VF${String(at).padStart(4, "0")}`;
    return store.journals.putSummary(id, {
      ...{ operation: id, primitive: "deploy", scope: [], state, coordinator: "m1", by, title: "x" },
      startedAt: "2026-01-01T00:00:00Z",
    });
  };
  await put(1, "cleanup-owed", "root@m1");
  await put(1900, "done", "root@m1");
  for (let at = 2000; at < 2700; at++) await put(at, "done", "schedule prod/data.standby-m2");
  await put(2700, "failed", "schedule prod/data.standby-m2");
  const shown = await notableOperations(store);
  const ids = (found: typeof shown) => found.map(({ operation }) => Number(operation.slice(-4)));
  expect(ids(shown)).toEqual([2700, 1900, 1]);
  expect(ids(await listOperations(store, 2))).toEqual([2700, 2699, 1]);
  expect(ids(await listOperations(store, 2, ["image-rm"]))).toEqual([]);
});
