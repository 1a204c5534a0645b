import { describe, expect, it } from "vitest";
import {
  type Changing,
  decide,
  delivered,
  HOLD_MS,
  NONE,
  type Present,
  pendingFor,
  withLeader,
  withOpen,
} from "./decide.ts";

const away: Present = {
  ...{ code: "machine_unreachable", about: "m2", message: "m2 does not answer", hint: "check it" },
};

/** Looks at the cluster one after the other, `HOLD_MS / 2` apart. */
function looks(...seen: readonly (readonly Present[])[]) {
  let state = NONE;
  let changing: Changing = new Map();
  for (const [index, present] of seen.entries()) {
    const look = { present, unknown: () => false, alerts: ["ops"], newId: () => `n${index}` };
    ({ state, changing } = decide({ state, changing }, { ...look, now: (index * HOLD_MS) / 2 }));
  }
  return state;
}
const told = (state: typeof NONE) =>
  state.outbox.map(({ begun, ended }) => [begun.map(({ about }) => about), ended.map(({ about }) => about)]);

describe("decide", () => {
  it("tells once that a condition began, and once that it ended, whatever its message counts", () => {
    const more = { ...away, message: "m2 does not answer: 3 times" };
    const state = looks([away], [more], [away], [more], [away], [], [], [], []);
    expect(told(state)).toEqual([
      [["m2"], []],
      [[], ["m2"]],
    ]);
    expect(state.open).toEqual([]);
    expect(state.outbox[0]?.begun[0]?.since).toBe("1970-01-01T00:00:00.000Z");
  });

  it("ignores a condition that is too short, or absent too shortly", () => {
    expect(told(looks([away], [away], [], [away], [away], []))).toEqual([]);
    expect(told(looks([away], [away], [away], [], [away], [away]))).toEqual([[["m2"], []]]);
  });

  it("keeps a record of one size for a receiver that takes nothing, and counts what it leaves out", () => {
    const many = Array.from({ length: 200 }, (_, i) => ({
      ...{ ...away, about: `m${i}`, message: "m".repeat(500) },
    }));
    const flapping = Array.from({ length: 60 }, (_, i) => (Math.floor(i / 3) % 2 === 0 ? many : []));
    const state = looks(...flapping);
    expect(JSON.stringify(state.outbox).length).toBeLessThan(300_000);
    const kept = state.outbox.reduce((sum, { begun, ended }) => sum + begun.length + ended.length, 0);
    const pending = pendingFor(state, "ops");
    expect(pending?.begun.length).toBeGreaterThan(0);
    expect(kept + (pending?.omitted ?? 0)).toBe(200 * 20);
    expect(delivered(state, new Map([["ops", pending?.ids ?? []]]), ["ops"]).outbox).toEqual([]);
  });

  it("does not end a condition that is unknown, and ends it once it is known", () => {
    let state = looks([away], [away], [away]);
    let changing: Changing = new Map();
    for (const [now, unknown] of [
      [100, true],
      [200, true],
      [300, false],
      [400, false],
    ] as const) {
      const look = { present: [], unknown: () => unknown, alerts: ["ops"], newId: () => `e${now}` };
      ({ state, changing } = decide({ state, changing }, { ...look, now: now * 1_000 }));
      expect(state.open).toHaveLength(now < 400 ? 1 : 0);
    }
  });

  it("groups what begins at once", () => {
    const disk = { ...away, code: "disk_nearly_full", about: "m3" };
    expect(told(looks([away, disk], [away, disk], [away, disk]))).toEqual([[["m2", "m3"], []]]);
  });
});

describe("the outbox", () => {
  const state = looks([away], [away], [away], [], [], []);

  it("is one message to an alert that was away", () => {
    expect(pendingFor(state, "ops")).toMatchObject({ begun: [away], ended: [away], ids: ["n2", "n5"] });
    expect(pendingFor(state, "other")).toBeUndefined();
  });

  it("drops messages that all alerts have taken, and those of removed alerts", () => {
    expect(delivered(state, new Map([["ops", ["n2"]]]), ["ops"]).outbox.map(({ id }) => id)).toEqual(["n5"]);
    expect(delivered(state, new Map(), []).outbox).toEqual([]);
  });
});

describe("the state", () => {
  it("keeps the leader before, from the second one on", () => {
    const first = withLeader(NONE, "m1", 0);
    expect(first.leader).toEqual({ machine: "m1", at: "1970-01-01T00:00:00.000Z" });
    expect(withLeader(first, "m1", 5)).toBe(first);
    expect(withLeader(first, undefined, 5)).toBe(first);
    expect(withLeader(first, "m2", 5).leader).toMatchObject({ machine: "m2", before: "m1" });
  });

  it("takes a condition that was sent without the store once", () => {
    const sent = { ...away, since: "1970-01-01T00:00:00.000Z" };
    const state = withOpen(NONE, sent);
    expect(state.open).toEqual([sent]);
    expect(withOpen(state, { ...sent, message: "another" })).toBe(state);
  });
});
