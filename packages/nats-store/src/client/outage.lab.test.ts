import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Rig, startRig } from "../../test/rig.ts";
import type { FollowEvent } from "./types.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.cleanup());

it("keeps every acknowledged write when the server is killed in the middle of writing", async () => {
  const { commits, facts } = rig.store("m2");
  const acknowledged: number[] = [];
  let expected = 0;
  let killed: Promise<void> | undefined;
  for (let n = 0; n < 60; n += 1) {
    if (n === 30) killed = rig.kill().then(() => rig.start());
    const result = await commits.append({ namespace: "durable", operation: `op${n}` }, expected);
    if (!result.committed) throw new Error(`conflict without another writer at ${n}`);
    expected = result.revision;
    acknowledged.push(result.revision);
  }
  await killed;
  const fact = await facts.put("durable", 1, 0);
  await rig.kill();
  await rig.start();
  expect((await commits.history("durable", 100)).map((entry) => entry.revision).reverse()).toEqual(
    acknowledged,
  );
  expect((await facts.get("durable"))?.revision).toBe(fact.ok && fact.revision);
});

it("follows across a killed server without a gap, a repetition or a second synced", async () => {
  const [writer, reader] = [rig.store("m2"), rig.store("m3")];
  await writer.facts.put("f.a", 0, 0);
  const stop = new AbortController();
  const seen: FollowEvent<unknown>[] = [];
  let wake = () => {};
  const following = (async () => {
    for await (const event of reader.facts.follow("f", stop.signal)) {
      seen.push(event);
      wake();
    }
  })();
  const until = async (count: number) => {
    while (seen.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  await until(2);
  await rig.kill();
  await rig.start();
  const b = await writer.facts.put("f.b", 1, 0);
  await until(3);
  await rig.kill("SIGTERM");
  await rig.start();
  await writer.facts.put("f.b", 2, b.ok ? b.revision : 0);
  const a = await writer.facts.get("f.a");
  await writer.facts.remove("f.a", a?.revision ?? 0);
  await until(5);
  stop.abort();
  await following;
  expect(
    seen.map((event) => (event.type === "put" ? [event.entry.key, event.entry.value] : event.type)),
  ).toEqual([["f.a", 0], "synced", ["f.b", 1], ["f.b", 2], "delete"]);
});

it("rides through a short outage, and says store_unavailable within the deadline of a long one", async () => {
  const store = rig.store("m2");
  await store.facts.put("outage", 1, 0);
  await rig.kill();
  const reading = store.facts.get("outage");
  await rig.start();
  expect((await reading)?.value).toBe(1);

  const brief = rig.store("m3", { deadlineMs: 800 });
  await brief.facts.get("outage");
  await rig.kill();
  const asked = performance.now();
  await expect(brief.facts.get("outage")).rejects.toMatchObject({ code: "store_unavailable" });
  await expect(brief.commits.append({ namespace: "outage", operation: "op" }, 0)).rejects.toMatchObject({
    code: "store_unavailable",
  });
  expect(performance.now() - asked).toBeLessThan(3000);
  await rig.start();
  // A write that was given up on is not sent later behind the caller's back. (A session comes back within a second, which is
  // longer than this one's deadline: asked until it answers.)
  await waitFor("the session to be back", () => brief.facts.get("outage").catch(() => undefined), {
    timeoutMs: 10_000,
  });
  expect(await store.commits.last("outage")).toBeUndefined();
});

it("bounds a call by its deadline also when the server hangs", async () => {
  const store = rig.store("m2", { deadlineMs: 1000, attemptMs: 300 });
  await store.facts.list("outage");
  await rig.pause();
  try {
    const asked = performance.now();
    const unavailable = { code: "store_unavailable" };
    await expect(store.facts.get("outage")).rejects.toMatchObject(unavailable);
    expect(performance.now() - asked).toBeLessThan(1500);
    await expect(store.commits.append({ namespace: "paused", operation: "op" }, 0)).rejects.toMatchObject(
      unavailable,
    );
  } finally {
    rig.resume();
  }
  // An append sent before the pause ended may be stored: repeating it finds it and makes one commit.
  expect((await store.commits.append({ namespace: "paused", operation: "op" }, 0)).committed).toBe(true);
  expect(await store.commits.history("paused", 10)).toHaveLength(1);
});

it("holds leases and their fences across a killed server", async () => {
  const { leases } = rig.store("m2");
  const won = await leases.acquire("scope", { operation: "a", machine: "m2" }, 60_000);
  await rig.kill();
  await rig.start();
  expect(won.acquired && (await leases.renew(won.lease))?.fence).toBe(won.acquired && won.lease.fence);
});
