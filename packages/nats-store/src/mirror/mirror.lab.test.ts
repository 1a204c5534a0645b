import { writeFile } from "node:fs/promises";
import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { operationOf, type Rig, startRig } from "../../test/rig.ts";
import { isObject } from "../json.ts";
import { commitSubject } from "../names.ts";
import { type Mirror, type MirrorOptions, openMirror } from "./mirror.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.cleanup());

const reach = (mirror: Mirror, facts: number) =>
  new Promise<void>((resolve) => {
    const check = () => mirror.applied().facts >= facts && resolve();
    mirror.onChange(check);
    check();
  });

it("keeps the last good state on disk, and catches up with changes during its absence", async () => {
  const store = rig.store("m2");
  const dir = `${rig.dir}/mirror`;
  const first = await store.commits.append({ namespace: "prod", operation: "op1" }, 0);
  await store.facts.put("machine.m1", 1, 0);
  const gone = await store.facts.put("machine.gone", 1, 0);

  const one = await openMirror({ dir, store });
  await one.synced();
  expect(one.heads().map((head) => operationOf(head.value))).toEqual(["op1"]);
  const b = await store.facts.put("machine.m2", 2, 0);
  await reach(one, b.ok ? b.revision : 0);
  await one.close();

  const offline = await openMirror({ dir });
  expect(offline.heads()).toEqual(one.heads());
  expect(offline.facts("machine").map((fact) => fact.key)).toEqual([
    "machine.gone",
    "machine.m1",
    "machine.m2",
  ]);
  expect(offline.applied()).toEqual({
    commits: first.committed && first.revision,
    facts: b.ok && b.revision,
  });

  await store.facts.remove("machine.gone", gone.ok ? gone.revision : 0);
  await store.commits.append({ namespace: "prod", operation: "op2" }, first.committed ? first.revision : 0);
  const again = await openMirror({ dir, store });
  await again.synced();
  await again.flushed();
  expect(again.facts("machine").map((fact) => fact.key)).toEqual(["machine.m1", "machine.m2"]);
  expect(operationOf(again.heads()[0]?.value)).toBe("op2");
  await again.close();
  expect((await openMirror({ dir })).facts("")).toEqual(again.facts(""));
});

it("is not emptied by a store that has lost its data", async () => {
  const store = rig.store("m2");
  const dir = `${rig.dir}/mirror-lost`;
  await store.facts.put("precious", 1, 0);
  const mirror = await openMirror({ dir, store });
  await mirror.synced();
  await mirror.close();
  const fresh = await startRig();
  const reported = new Promise<unknown>((resolve) => {
    void openMirror({ dir, store: fresh.store("m2"), onError: resolve }).then((opened) => {
      fresh.onCleanup(() => opened.close());
    });
  });
  expect(await reported).toMatchObject({ code: "store_behind_mirror" });
  await fresh.cleanup();
  expect((await openMirror({ dir })).facts("precious")).toHaveLength(1);
});

it("sets a damaged file aside and keeps the rest", async () => {
  const dir = `${rig.dir}/mirror-damaged`;
  const mirror = await openMirror({ dir, store: rig.store("m2") });
  await mirror.synced();
  await mirror.close();
  await writeFile(`${dir}/heads/prod.json`, "{");
  const errors: unknown[] = [];
  const again = await openMirror({ dir, onError: (error) => errors.push(error) });
  expect(errors).toHaveLength(1);
  expect(again.heads()).toEqual([]);
  expect(again.facts("precious")).toHaveLength(1);
});

it("keeps the last good record when a bad one comes, and a new mirror finds it in the stream", async () => {
  const store = rig.store("m2");
  const check: MirrorOptions["check"] = (_what, _key, value) =>
    isObject(value) && value.bad !== true ? undefined : { why: "invalid", detail: "bad" };
  const good = await store.commits.append({ namespace: "shop", operation: "op1" }, 0);
  const fact = await store.facts.put("subnet.8", { machine: "m1" }, 0);
  const one = await openMirror({ dir: `${rig.dir}/mirror-bad`, store, check });
  await one.synced();
  // As a broken client publishes it: no expected revision, and no JSON.
  const { js } = await store.session.link();
  const { seq } = await js.publish(
    commitSubject(store.session.cluster, "shop"),
    new TextEncoder().encode("{"),
  );
  const worse = await store.facts.put("subnet.8", { bad: true }, fact.ok ? fact.revision : 0);
  await reach(one, worse.ok ? worse.revision : 0);
  const fresh = await openMirror({ dir: `${rig.dir}/mirror-bad-fresh`, store, check });
  await fresh.synced();
  for (const mirror of [one, fresh]) {
    const head = mirror.heads().find(({ key }) => key === "shop");
    expect(head?.revision).toBe(good.committed && good.revision);
    expect(mirror.skipped()).toContainEqual({
      what: "commit",
      key: "shop",
      revision: seq,
      why: "invalid",
      detail: "bad",
    });
  }
  expect(one.facts("subnet").map(({ value }) => value)).toEqual([{ machine: "m1" }]);
  await store.commits.append({ namespace: "shop", operation: "op2" }, seq);
  await waitFor("the repair", async () => one.skipped().every(({ key }) => key !== "shop") || undefined, {
    timeoutMs: 20_000,
  });
  expect(operationOf(one.heads().find(({ key }) => key === "shop")?.value)).toBe("op2");
  for (const mirror of [one, fresh]) await mirror.close();
});
