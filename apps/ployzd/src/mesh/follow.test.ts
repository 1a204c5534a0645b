import { checkedStore } from "@ployz/primitives/host";
import type { Fact, FactKey, FactOf, FollowEvent, MachineRecord } from "@ployz/primitives/protocol";
import { createMemoryStore, createRawStore, createVirtualClock } from "@ployz/primitives/testing";
import { afterEach, describe, expect, it } from "vitest";
import { followMembership } from "./follow.ts";
import type { Membership } from "./membership.ts";

const record = (id: string, index: number): MachineRecord => ({
  ...{ id, index, state: "active", publicKey: `key-${id}`, nkey: "", endpoints: [], runtime: "process" },
  ...{ address: `10.101.${index}.1`, subnet: "", store: index === 1, version: "0", operation: "x" },
});
const cluster = { name: "c", id: "c-1", clusterCidr: "", subnetPrefixLength: 24, generation: 1 };
const INITIAL: Membership = {
  ...{ v: 1, cluster, machine: record("m1", 1), machines: [record("m1", 1)], storeServers: ["old:1"] },
  releaseKey: "brought by the join",
};
const stop = new AbortController();
afterEach(() => stop.abort());

async function deps(apply: (next: Membership) => Promise<void> = async () => {}) {
  const store = createMemoryStore({ clock: createVirtualClock() });
  const errors: unknown[] = [];
  const { signal } = new AbortController();
  const put = async <K extends FactKey>(key: K, value: FactOf<K>) => {
    const written = await store.facts.put(key, value, (await store.facts.get(key))?.revision ?? 0);
    return written.ok ? written.revision : 0;
  };
  await put("cluster", cluster);
  await put("machine.m1", record("m1", 1));
  const follow = () =>
    followMembership({ store, storePort: 4222, initial: INITIAL, signal, apply, log: (e) => errors.push(e) });
  return { store, put, follow, errors, signal };
}

describe("the membership that a machine follows", () => {
  it("has every member at the revision that was waited for, applied", async () => {
    const applied: string[] = [];
    const { put, follow, signal } = await deps(async ({ machines }) => {
      applied.push(machines.map(({ id }) => id).join());
    });
    const follower = follow();
    const revision = await put("machine.m2", record("m2", 2));
    await follower.reached(revision, signal);
    expect(applied.at(-1)).toBe("m1,m2");
    expect(follower.present()).toMatchObject({
      ...{ storeServers: ["10.101.1.1:4222"], releaseKey: "brought by the join" },
    });
  });

  it("without its own record, or with another's key in it, stays unchanged", async () => {
    const { store, put, follow, signal } = await deps();
    const follower = follow();
    const current = await store.facts.get("machine.m1");
    await follower.reached(current?.revision ?? 0, signal);
    const gone = await store.facts.remove("machine.m1", current?.revision ?? 0);
    await follower.reached(gone.ok ? gone.revision : 0, signal);
    expect(follower.present().machine.id).toBe("m1");
    const other = await put("machine.m1", { ...record("m1", 7), publicKey: "stolen" });
    await follower.reached(other, signal);
    expect(follower.present().machine).toMatchObject({ index: 1, publicKey: "key-m1" });
  });

  it("knows that it was removed, whether its record says so, is gone, or is another machine's", async () => {
    const { store, put, follow, signal } = await deps();
    const follower = follow();
    const at = async (value: MachineRecord | undefined) => {
      const current = await store.facts.get("machine.m1");
      const remove = () => store.facts.remove("machine.m1", current?.revision ?? 0);
      const written = value === undefined ? await remove() : undefined;
      const revision = value === undefined ? written?.ok && written.revision : await put("machine.m1", value);
      await follower.reached(revision || 0, signal);
      return follower.removed();
    };
    expect(follower.removed()).toBe(false);
    expect(await at({ ...record("m1", 1), state: "draining" })).toBe(false);
    expect(follower.known().machine.state).toBe("draining");
    expect(await at({ ...record("m1", 1), state: "removed" })).toBe(true);
    expect(await at(undefined)).toBe(true);
    expect(await at({ ...record("m1", 2), publicKey: "another" })).toBe(true);
  });

  it("keeps a machine whose record cannot be read, itself too", async () => {
    const raw = createRawStore({ clock: createVirtualClock() });
    await raw.facts.put("cluster", cluster, 0);
    await raw.facts.put("machine.m1", { id: "m1" }, 0);
    const last = await raw.facts.put("machine.m2", record("m2", 2), 0);
    const { signal } = new AbortController();
    const follower = followMembership({
      ...{ store: checkedStore(raw), storePort: 4222, initial: INITIAL, signal },
      ...{ apply: async () => {}, log: () => {} },
    });
    await follower.reached(last.ok ? last.revision : 0, signal);
    expect(follower.present().machines.map(({ id }) => id)).toEqual(["m1", "m2"]);
    expect(follower.removed()).toBe(false);
  });

  it("is not said to be applied when applying failed", async () => {
    let fails = false;
    const { put, follow, errors, signal } = await deps(async () => {
      if (fails) throw new Error("wg");
    });
    const follower = follow();
    await follower.reached(await put("machine.m2", record("m2", 2)), signal);
    fails = true;
    const third = await put("machine.m3", record("m3", 3));
    const gaveUp = new AbortController();
    const waiting = follower.reached(third, gaveUp.signal);
    await new Promise((resolve) => setImmediate(resolve));
    expect(errors.length).toBe(1);
    expect(follower.present().machines.map(({ id }) => id)).toEqual(["m1", "m2"]);
    gaveUp.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(follower.reached(third, gaveUp.signal)).rejects.toThrow("enough");
    fails = false;
    await follower.reached(await put("machine.m4", record("m4", 4)), signal);
    expect(follower.present().machines.length).toBe(4);
  });

  it("waits for the whole first state before it takes any peer away", async () => {
    const seen: number[] = [];
    const events: FollowEvent<Fact>[] = [
      { type: "put", entry: { key: "machine.m1", value: record("m1", 1), revision: 1 } },
      { type: "put", entry: { key: "machine.m2", value: record("m2", 2), revision: 2 } },
      { type: "synced", revision: 2 },
    ];
    const { store, signal } = await deps();
    const follower = followMembership({
      store: {
        ...store,
        facts: {
          ...store.facts,
          follow: async function* () {
            yield* events;
          },
        },
      },
      ...{ storePort: 1, initial: INITIAL, signal, log: () => {} },
      apply: async ({ machines }) => void seen.push(machines.length),
    });
    await follower.ended;
    expect(seen).toEqual([2]);
  });
});
