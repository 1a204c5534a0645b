import { Kvm } from "@nats-io/kv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { operationOf, type Rig, startRelay, startRig } from "../../test/rig.ts";
import type { FollowEvent } from "./types.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.cleanup());

const commit = (namespace: string, operation: string, n = 0) => ({ namespace, operation, n });

describe("commits", () => {
  it("lets exactly one of two racing writers win each of 30 rounds", async () => {
    const [one, two] = [rig.store("m2"), rig.store("m3")];
    let expected = 0;
    for (let round = 0; round < 30; round += 1) {
      const results = await Promise.all([
        one.commits.append(commit("race", `a${round}`), expected),
        two.commits.append(commit("race", `b${round}`), expected),
      ]);
      const winners = results.filter((result) => result.committed);
      expect(winners).toHaveLength(1);
      const loser = results.find((result) => !result.committed);
      const head = await one.commits.last("race");
      expect(loser).toEqual({ committed: false, last: head });
      expected = head?.revision ?? 0;
    }
    expect(await one.commits.history("race", 100)).toHaveLength(30);
  });

  it("counts a retried append as one commit", async () => {
    const { commits } = rig.store("m2");
    const first = await commits.append(commit("retry", "op1"), 0);
    expect(await commits.append(commit("retry", "op1"), 0)).toEqual(first);
    const revision = first.committed ? first.revision : 0;
    // Also for a runner that starts again, reads its own commit as the last, and appends on top of it.
    expect(await commits.append(commit("retry", "op1"), revision)).toEqual(first);
    expect(await commits.history("retry", 10)).toHaveLength(1);
  });

  it("settles an append whose reply was lost, without committing twice", async () => {
    const relay = await startRelay(rig.port);
    rig.onCleanup(() => relay.close());
    const { commits } = rig.store("m2", { servers: [`127.0.0.1:${relay.port}`] });
    await commits.last("lost");
    relay.cutBefore((chunk) => chunk.includes("PLOYZ_COMMITS") && chunk.includes('"seq"'));
    const result = await commits.append(commit("lost", "op1"), 0);
    expect(relay.cutting()).toBe(false);
    expect(result.committed).toBe(true);
    const history = await commits.history("lost", 10);
    expect(history).toHaveLength(1);
    expect(result).toEqual({ committed: true, revision: history[0]?.revision });
  });

  it("finds its commit also when another followed before the lost reply was settled", async () => {
    const { commits } = rig.store("m2");
    const first = await commits.append(commit("behind", "mine"), 0);
    const revision = first.committed ? first.revision : 0;
    await commits.append(commit("behind", "other"), revision);
    expect(await commits.append(commit("behind", "mine"), 0)).toEqual({ committed: true, revision });
  });

  it("reads by revision and never another namespace's commit", async () => {
    const { commits } = rig.store("m2");
    const written = await commits.append(commit("at-a", "op1"), 0);
    const revision = written.committed ? written.revision : 0;
    expect(operationOf((await commits.at("at-a", revision))?.value)).toBe("op1");
    expect(await commits.at("at-b", revision)).toBeUndefined();
    expect(await commits.at("at-a", 9_999_999)).toBeUndefined();
    expect((await commits.heads()).map((head) => head.key)).toContain("at-a");
    await expect(commits.last("a.b")).rejects.toMatchObject({ code: "invalid_name" });
  });
});

describe("facts", () => {
  it("writes, conflicts, removes and re-creates under compare-and-set", async () => {
    const { facts } = rig.store("m2");
    const made = await facts.put("machine.m9", { v: 1 }, 0);
    expect(made.ok).toBe(true);
    expect(await facts.put("machine.m9", { v: 1 }, 0)).toEqual(made);
    const lost = await facts.put("machine.m9", { v: 2 }, 0);
    expect(lost).toMatchObject({ ok: false, current: { key: "machine.m9", value: { v: 1 } } });
    const revision = made.ok ? made.revision : 0;
    expect((await facts.remove("machine.m9", revision + 7)).ok).toBe(false);
    expect((await facts.remove("machine.m9", revision)).ok).toBe(true);
    expect((await facts.remove("machine.m9", revision)).ok).toBe(true);
    expect(await facts.get("machine.m9")).toBeUndefined();
    const again = await facts.put("machine.m9", { v: 3 }, 0);
    expect(again.ok).toBe(true);
    expect((await facts.get("machine.m9"))?.value).toEqual({ v: 3 });
  });

  it("keeps facts in a bucket that other JetStream KV clients can read", async () => {
    const { facts, session } = rig.store("m1");
    const made = await facts.put("interop.key", { v: 1 }, 0);
    const { js } = await session.link();
    const bucket = await new Kvm(js).open("ployz_facts");
    const entry = await bucket.get("interop.key");
    expect(entry?.json()).toEqual({ v: 1 });
    expect(entry?.revision).toBe(made.ok && made.revision);
  });

  it("lists a key and the keys below it, sorted", async () => {
    const { facts } = rig.store("m2");
    for (const key of ["list.b", "list.a.x", "list", "listing"]) await facts.put(key, key, 0);
    expect((await facts.list("list")).map((entry) => entry.key)).toEqual(["list", "list.a.x", "list.b"]);
    expect((await facts.list("")).map((entry) => entry.key)).toContain("listing");
    expect(await facts.list("nothing")).toEqual([]);
  });

  it("follows: present state, one synced, then changes and deletions", async () => {
    const { facts } = rig.store("m2");
    await facts.put("follow.a", 1, 0);
    const gone = await facts.put("follow.gone", 1, 0);
    await facts.remove("follow.gone", gone.ok ? gone.revision : 0);
    const stop = new AbortController();
    const seen: FollowEvent<unknown>[] = [];
    for await (const event of facts.follow("follow", stop.signal)) {
      seen.push(event);
      if (event.type === "synced") {
        const b = await facts.put("follow.b", 2, 0);
        await facts.remove("follow.b", b.ok ? b.revision : 0);
      }
      if (event.type === "delete") stop.abort();
    }
    expect(seen.map((event) => (event.type === "put" ? event.entry.key : event.type))).toEqual([
      "follow.a",
      "synced",
      "follow.b",
      "delete",
    ]);
  });

  it("yields a delete for a key that a follower has seen, also before it is synced", async () => {
    const { facts } = rig.store("m2");
    const early = await facts.put("early.a", 1, 0);
    // More than the server sends ahead of its reader, so the removal finds the picture still on its way.
    const rest = Array.from({ length: 12 }, (_, n) => `early.rest${n}`);
    for (const key of rest) await facts.put(key, "x".repeat(500_000), 0);
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const event of facts.follow("early", stop.signal)) {
      seen.push(event.type === "put" ? event.entry.key : event.type);
      if (seen.length === 1) await facts.remove("early.a", early.ok ? early.revision : 0);
      if (event.type === "synced") stop.abort();
    }
    expect(seen).toEqual(["early.a", ...rest, "delete", "synced"]);
  });
});

describe("journals", () => {
  it("has one writer at a time, and takes a retry of the same entry", async () => {
    const [one, two] = [rig.store("m2").journals, rig.store("m3").journals];
    expect(await one.append("op1", 0, { started: true })).toBe(true);
    expect(await one.append("op1", 0, { started: true })).toBe(true);
    expect(await two.append("op1", 0, { other: true })).toBe(false);
    expect(await two.append("op1", 1, { by: "two" })).toBe(true);
    expect(await one.append("op1", 1, { by: "one" })).toBe(false);
    expect(await one.append("op1", 2, { by: "one" })).toBe(true);
    expect(await one.append("op1", 9, {})).toBe(false);
    expect(await two.read("op1")).toEqual([{ started: true }, { by: "two" }, { by: "one" }]);
    expect(await two.read("none")).toEqual([]);
  });

  it("follows from an index", async () => {
    const { journals } = rig.store("m2");
    for (let index = 0; index < 3; index += 1) await journals.append("op2", index, index);
    const seen: unknown[] = [];
    for await (const entry of journals.follow("op2", 1, AbortSignal.timeout(5000))) {
      seen.push(entry);
      if (seen.length === 2) await journals.append("op2", 3, 3);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  it("lists the newest summaries first", async () => {
    const { journals } = rig.store("m2");
    for (const id of ["01A", "01C", "01B"]) await journals.putSummary(id, { id });
    expect((await journals.summaries(2)).map((entry) => entry.key)).toEqual(["01C", "01B"]);
    expect((await journals.summary("01A"))?.value).toEqual({ id: "01A" });
  });
});
