import type { Json } from "@ployz/primitives/protocol";
import { createRawStore, createVirtualClock } from "@ployz/primitives/testing";
import { expect, it } from "vitest";
import { repairFact } from "./repair.ts";

const GOOD = { machine: "m1", operation: "01J" };

async function withFact(key: string, value: Json, kept?: Json) {
  const { facts } = createRawStore({ clock: createVirtualClock() });
  await facts.put(key, value, 0);
  return { facts, kept: () => kept };
}

it("writes the last readable value again", async () => {
  const deps = await withFact("subnet.2", { machine: 7 }, GOOD);
  expect(await repairFact(deps, { record: "fact.subnet.2" })).toMatchObject({ action: "restored" });
  expect((await deps.facts.get("subnet.2"))?.value).toEqual(GOOD);
  expect(await repairFact(deps, { record: "fact.subnet.2" })).toMatchObject({ action: "unchanged" });
});

it("removes a fact of which none is kept, but never a machine's or the cluster's", async () => {
  const deps = await withFact("prepared.x", "nothing");
  expect(await repairFact(deps, { record: "fact.prepared.x" })).toMatchObject({ action: "removed" });
  expect(await deps.facts.get("prepared.x")).toBeUndefined();
  const member = await withFact("machine.m2", {});
  await expect(repairFact(member, { record: "fact.machine.m2" })).rejects.toMatchObject({
    code: "record_unreadable",
    hint: expect.stringContaining("another machine"),
  });
});

it("replaces a newer version's fact only when asked to", async () => {
  const deps = await withFact("machine.m2", { v: 2 }, { id: "m2" });
  await expect(repairFact(deps, { record: "fact.machine.m2" })).rejects.toMatchObject({
    hint: expect.stringContaining("--replace-newer"),
  });
  const asked = { record: "fact.machine.m2", replaceNewer: true };
  expect(await repairFact(deps, asked)).toMatchObject({ action: "restored" });
});
