import type { MachineRecord, OperationEvent, OperationRequest } from "@ployz/primitives/protocol";
import { createMemoryMachines, createMemoryRemote, createMemoryStore } from "@ployz/primitives/testing";
import { describe, expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import { openRunner } from "./runner.ts";

const SECRET = "-----BEGIN OPENSSH PRIVATE KEY-----";
const REQUEST: OperationRequest = {
  ...{ primitive: "machine-add", input: { target: "root@198.51.100.10" }, mode: "apply", by: "root@m1" },
  credentials: { identity: SECRET },
};

async function deps() {
  const store = createMemoryStore({ clock: systemClock });
  const machines = createMemoryMachines({ clock: systemClock, machines: ["m1"], facts: store.facts });
  const payload = { version: "1", build: "b", arch: "x64" };
  const remote = createMemoryRemote({ machines, needs: [], payload });
  const target = remote.add("198.51.100.10", "m2");
  const cluster = {
    name: "c",
    id: "c-1",
    clusterCidr: "10.101.0.0/16",
    subnetPrefixLength: 24,
    generation: 1,
  };
  await store.facts.put("cluster", cluster, 0);
  const m1: MachineRecord = {
    ...{ id: "m1", index: 1, state: "active", store: true, address: "10.101.1.1", endpoints: [] },
    ...{ publicKey: "k", nkey: "n", subnet: "10.101.1.0/24", runtime: "process", version: "1" },
    operation: "founding",
  };
  await store.facts.put("machine.m1", m1, 0);
  const open = { now: 0, identities: [] as unknown[] };
  const releases = { key: async () => undefined, signedBy: async () => false };
  const logged: unknown[] = [];
  let hold: Promise<void> | undefined;
  const runner = openRunner({
    ...{ store, machines, self: "m1", generation: () => 1, log: (error) => logged.push(error), owes() {} },
    heard() {},
    source: {
      ...{ machine: "m1", signedBy: releases.signedBy },
      look: async () => ({
        ...{ version: "1", build: "b", current: "b", arch: "x64" },
        ...{ diskFreeBytes: 2 ** 40, running: [], neededBytes: 1 },
      }),
    },
    openRemote(credentials) {
      open.now += 1;
      open.identities.push(credentials.identity);
      const ployzctl: typeof remote.ployzctl = async (at, args, stdin, signal) => {
        if (args[1] === "join" && hold !== undefined) {
          const gone = new Promise<never>((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
          );
          await Promise.race([hold, gone]);
        }
        return remote.ployzctl(at, args, stdin, signal);
      };
      const close = () => {
        open.now -= 1;
      };
      return { ...remote, ployzctl, close };
    },
    machineAdd: {
      ...{ payload, storePort: 4222, releases },
      subnets: () => (index) => ({ subnet: `10.101.${index}.0/24`, address: `10.101.${index}.1` }),
    },
  });
  const pause = () => {
    let go = () => {};
    hold = new Promise((resolve) => {
      go = resolve;
    });
    return () => go();
  };
  return { store, runner, target, open, logged, pause };
}

const all = async (events: AsyncIterable<OperationEvent>) => {
  const seen: OperationEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
};
const never = new AbortController().signal;

/** Reads until the join runs; the operation's id. */
async function untilJoin(events: AsyncIterator<OperationEvent>): Promise<string> {
  let id = "";
  for (let next = await events.next(); next.done !== true; next = await events.next()) {
    if (next.value.type === "accepted") id = next.value.operation;
    if (next.value.type === "step" && next.value.step === "join") return id;
  }
  throw new Error("no join");
}

describe("an operation of this daemon", () => {
  it("runs to its result; credentials are in no event, journal or summary, and not kept open", async () => {
    const { runner, store, open, logged } = await deps();
    const events = await all(runner.run(REQUEST));
    const last = events.at(-1);
    if (last?.type !== "result") throw new Error(JSON.stringify(last));
    expect(last.result).toMatchObject({ state: "done", output: { machine: "m2" } });
    const [summary] = await runner.list(10);
    expect(summary).toMatchObject({ state: "done", primitive: "machine-add", by: "root@m1" });
    const { operation: id = "" } = last.result;
    const journal = await store.journals.read(id);
    const shown = await runner.show(id);
    expect(JSON.stringify([events, journal, summary, shown, await store.facts.list("")])).not.toContain(
      SECRET,
    );
    expect(open).toEqual({ now: 0, identities: [SECRET] });
    expect(logged).toEqual([]);
    expect(runner.running()).toEqual([]);
    expect(await all(runner.events(id, never))).toMatchObject([{ type: "result" }]);
  });

  it("two can watch it, one from the middle, and both see the end; whoever leaves stops nothing", async () => {
    const { runner, pause } = await deps();
    const go = pause();
    const asked = runner.run(REQUEST)[Symbol.asyncIterator]();
    const id = await untilJoin(asked);
    const [first, second] = [all(runner.events(id, never)), all(runner.events(id, never))];
    const gone = new AbortController();
    const third = all(runner.events(id, gone.signal));
    await asked.return?.();
    gone.abort();
    expect((await third).some(({ type }) => type === "result")).toBe(false);
    expect(runner.isRunning(id)).toBe(true);
    go();
    const [a, b] = await Promise.all([first, second]);
    expect(a).toEqual(b);
    expect(a[0]).toMatchObject({ type: "accepted", operation: id });
    expect(a.at(-1)).toMatchObject({ type: "result", result: { state: "done" } });
  });

  it("is undone when the operator aborts it", async () => {
    const { runner, store, target, pause } = await deps();
    pause();
    const asked = runner.run(REQUEST)[Symbol.asyncIterator]();
    const id = await untilJoin(asked);
    expect(await runner.abort(id, "root@m1")).toEqual({ state: "running" });
    const rest: OperationEvent[] = [];
    for (let next = await asked.next(); next.done !== true; next = await asked.next()) rest.push(next.value);
    expect(rest.at(-1)).toMatchObject({ type: "result", result: { state: "aborted" } });
    expect(target).toMatchObject({ payload: undefined, daemon: false, membership: undefined });
    expect((await store.facts.list("machine")).map(({ key }) => key)).toEqual(["machine.m1"]);
    expect(await store.leases.list()).toEqual([]);
  });

  it("a preview says what it would do, and ends", async () => {
    const { runner, target } = await deps();
    const events = await all(runner.run({ ...REQUEST, mode: "preview" }));
    expect(events.at(-1)).toMatchObject({ type: "plan" });
    expect(target.effects).toEqual([]);
    expect(await runner.list(10)).toEqual([]);
  });

  it.each([
    ["a primitive that is not known", { primitive: "reboot" }],
    ["input that is none", { input: null }],
    ["deploy of nothing", { primitive: "deploy", input: { manifest: 7 } }],
  ])("%s is refused", async (_, wrong) => {
    const { runner, open } = await deps();
    expect((await all(runner.run({ ...REQUEST, ...wrong }))).at(-1)).toMatchObject({ type: "refused" });
    expect(open.now).toBe(0);
    expect(runner.running()).toEqual([]);
  });

  it("one without a runner is shown as interrupted, and watching it ends", async () => {
    const { runner, store } = await deps();
    const done = (await all(runner.run(REQUEST))).at(-1);
    if (done?.type !== "result") throw new Error("no result");
    const { operation: id = "" } = done.result;
    const journal = await store.journals.read(id);
    const dead = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for (const [i, entry] of journal.slice(0, 3).entries()) {
      const moved = JSON.parse(JSON.stringify(entry).replaceAll(id, dead)) as typeof entry;
      await store.journals.append(dead, i, { ...moved, t: moved.t - 60_000 });
    }
    expect(await all(runner.events(dead, never))).toMatchObject([
      { type: "result", result: { state: "interrupted", operation: dead } },
    ]);
    await expect(runner.show("01ARZ3NDEKTSV4RRFFQ69G5FAW")).rejects.toMatchObject({
      code: "operation_unknown",
    });
  });
});
