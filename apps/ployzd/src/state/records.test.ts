import { checkedStore } from "@ployz/primitives/host";
import { emptyCommit } from "@ployz/primitives/protocol";
import { createRawStore, createVirtualClock } from "@ployz/primitives/testing";
import { expect, it } from "vitest";
import { headOrUnreadable } from "./records.ts";

it("a head that cannot be read differs from no head", async () => {
  const raw = createRawStore({ clock: createVirtualClock() });
  const store = checkedStore(raw);
  const commit = emptyCommit({ namespace: "prod", operation: "op", primitive: "deploy", at: "", by: "" });
  expect(await headOrUnreadable(store, "prod")).toBeUndefined();
  await store.commits.append(commit, 0);
  expect(await headOrUnreadable(store, "prod")).toEqual(commit);
  raw.commits.publish("prod", { ...commit, instances: "none" });
  expect(await headOrUnreadable(store, "prod")).toBe("unreadable");
});
