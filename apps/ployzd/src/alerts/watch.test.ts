import type { StoreStatus } from "@ployz/primitives/client";
import { alertKey, type Store } from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { expect, it } from "vitest";
import { PloyzError } from "../error-codes.ts";
import type { Present } from "./decide.ts";
import type { Seen } from "./sender.ts";
import { watchAlerts } from "./watch.ts";

const AWAY: Present = { code: "machine_unreachable", about: "m9", message: "m9 is silent", hint: "look" };
const SECOND = 1_000;

/** Three machines with one alert each may send; what the receiver took, by machine, in seconds since the start. */
async function world() {
  const clock = createVirtualClock(0);
  const memory = createMemoryStore({ clock });
  const record = { name: "ops", format: "json" as const, to: "https://x", version: "1", at: "", by: "" };
  await memory.facts.put(alertKey("ops"), record, 0);
  const state = {
    storeAway: false,
    receives: true,
    present: [] as readonly Present[],
    broken: new Set<string>(),
    cut: new Set<string>(),
  };
  const unavailable = () =>
    new PloyzError({ code: "store_unavailable", message: "the store does not answer" });
  const guarded = <T extends object>(self: string, port: T): T =>
    new Proxy(port, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return (...args: readonly unknown[]) =>
          state.storeAway || state.cut.has(self)
            ? Promise.reject(unavailable())
            : (Reflect.apply(value, target, args) as unknown);
      },
    });
  const got: string[] = [];
  const alive = new Map<string, { readonly stop: AbortController; readonly ended: Promise<void> }>();
  let ids = 0;
  const start = (self: string) => {
    const stop = new AbortController();
    const store: Store = {
      ...memory,
      ...{ facts: guarded(self, memory.facts), leases: guarded(self, memory.leases) },
    };
    const look = async (): Promise<Seen> => (state.broken.has(self) ? "partial" : { present: state.present });
    const sender = {
      ...{ self, cluster: "prod", store, look, alerts: () => [record], members: () => ["m1", "m2", "m3"] },
      secrets: { read: async () => [JSON.stringify({ to: "https://x/hidden" })] },
      storeStatus: async () =>
        ({
          ...{ kind: "store", state: "no-quorum", machines: [], streams: [], silent: [], unfinished: [] },
          ...{ quorum: { size: 3, up: 1, needed: 2 }, generation: 1 },
          views: [...alive.keys()].map((machine) => ({ machine })),
        }) as unknown as StoreStatus,
    };
    const ended = watchAlerts(
      {
        ...{
          clock,
          sender: () => sender,
          newId: () => `n${++ids}`,
          log: (error) => got.push(`log ${String(error)}`),
        },
        send: async (_record, { begun, ended }) => {
          if (!state.receives) throw new PloyzError({ code: "alert_failed", message: "it answered 503" });
          const told = [
            ...begun.map(({ about, code }) => `+${about || code}`),
            ...ended.map(({ about, code }) => `-${about || code}`),
          ];
          got.push(`${self} ${told.join(" ")}`);
        },
      },
      stop.signal,
    );
    alive.set(self, { stop, ended });
  };
  /** Its lease stays until it expires. */
  const kill = (self: string) => {
    state.cut.add(self);
    alive.get(self)?.stop.abort();
    alive.delete(self);
  };
  const pass = (seconds: number) => clock.sleep(seconds * SECOND);
  const end = async () => {
    state.storeAway = false;
    for (const { stop } of alive.values()) stop.abort();
    await Promise.all([...alive.values()].map(({ ended }) => ended));
  };
  return { state, got, start, kill, pass, end };
}

it("one of three machines sends one begin and one end", async () => {
  const { state, got, start, pass, end } = await world();
  for (const id of ["m1", "m2", "m3"]) start(id);
  await pass(30);
  state.present = [AWAY];
  await pass(120);
  state.present = [];
  await pass(120);
  await end();
  const [first] = got;
  const machine = first?.slice(0, 2);
  expect(got).toEqual([`${machine} +m9`, `${machine} -m9`]);
});

it("a receiver that fails gets begin and end as one message", async () => {
  const { state, got, start, pass, end } = await world();
  start("m1");
  state.receives = false;
  state.present = [AWAY];
  await pass(60);
  state.present = [];
  await pass(60);
  state.receives = true;
  await pass(400);
  await end();
  expect(got).toEqual(["m1 +m9 -m9"]);
});

it("another machine continues where a sender died, and sends nothing twice", async () => {
  const { state, got, start, kill, pass, end } = await world();
  start("m1");
  await pass(10);
  start("m2");
  state.present = [AWAY];
  await pass(60);
  kill("m1");
  await pass(60);
  state.present = [];
  await pass(60);
  await end();
  expect(got).toEqual(["m1 +m9", "m2 -m9"]);
});

it("a machine with a broken path leaves the sending to others", async () => {
  const { state, got, start, pass, end } = await world();
  state.broken.add("m1");
  state.present = [AWAY];
  start("m1");
  start("m2");
  await pass(120);
  await end();
  expect(got).toEqual(["m2 +m9"]);
});

it("the lowest name sends that the store is away, and the sender of the moment that it is back", async () => {
  const { state, got, start, pass, end } = await world();
  for (const id of ["m2", "m3"]) start(id);
  await pass(30);
  state.storeAway = true;
  await pass(300);
  expect(got).toEqual(["m2 +store_unreachable"]);
  state.storeAway = false;
  await pass(120);
  await end();
  expect(got).toHaveLength(2);
  expect(got[1]).toMatch(/^m[23] -store_unreachable$/);
});

it("a short silence of the store is not sent", async () => {
  const { state, got, start, pass, end } = await world();
  start("m1");
  await pass(30);
  state.storeAway = true;
  await pass(25);
  state.storeAway = false;
  await pass(120);
  await end();
  expect(got).toEqual([]);
});
