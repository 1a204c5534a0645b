import { expect, test } from "vitest";
import { apply, deploy, emptyWorld, service } from "../testing/scenarios/change.ts";
import { asItIs, wishOf } from "./decide/as-it-is.ts";
import { observeWithoutContent } from "./observe/cluster.ts";
import { changePrimitive } from "./primitive.ts";

test("a change is decided once, and each service's needs are found once", async () => {
  const calls = { wish: 0, decide: 0, needs: 0 };
  class Unresolved extends Set<string> {
    override has(name: string): boolean {
      calls.decide += 1; // of each decision: the one service that is removed
      return super.has(name);
    }
  }
  const countNeeds: ProxyHandler<Record<string, string>> = {
    getOwnPropertyDescriptor() {
      calls.needs += 1;
      return undefined;
    },
  };
  const withoutOld = changePrimitive({
    name: "deploy",
    version: 2,
    parse: () => ({ ok: true, input: null }),
    scope: () => ["deploy.prod"],
    observe: (_input, ports, signal) => observeWithoutContent(["prod"], ports, signal),
    wish(_input, { head }) {
      calls.wish += 1;
      const present = asItIs("prod", head);
      const { old: _, ...services } = present.services;
      const desired = { ...present, services, pins: new Proxy({}, countNeeds) };
      return wishOf(desired, { unresolved: new Unresolved() });
    },
  });
  const world = await emptyWorld(["m1", "m2"]);
  await deploy(world, service("web", 1) + service("old", 1));
  expect(await apply(world, withoutOld, null)).toMatchObject({ state: "done", changed: true });
  expect(calls).toEqual({ wish: 1, decide: 1, needs: 1 });
  expect(await apply(world, withoutOld, null, "preview")).toMatchObject({ changes: false });
  expect(calls.wish).toBe(2);
});
