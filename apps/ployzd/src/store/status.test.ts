import type { StoreStatus } from "@ployz/primitives/client";
import { expect, test } from "vitest";
import type { Membership } from "../mesh/membership.ts";
import type { Look } from "../peers/commands.ts";
import { describe as storeStatus } from "./status.ts";
import type { Surveyed } from "./survey.ts";

const MACHINES = ["m1", "m2", "m3"];
const servers = MACHINES.map((machine, n) => ({ machine, host: `10.101.${n + 1}.1`, port: 6222 }));
const look = (n: number): Look => ({
  record: {
    ...{ cluster: "c", server: `m${n}`, generation: 2 },
    generations: [
      {
        ...{ generation: 2, state: "serving", id: "r1", routes: { id: "r1", secret: "", servers } },
        listen: { host: `10.101.${n}.1`, port: 4232 },
      },
    ],
  },
  ...{ coordinating: null, view: { generation: 2, commits: 5, facts: 9 } },
  server: { healthy: true, version: "2.15.1" },
});
const seen = (looks: Surveyed["looks"], silent: Surveyed["silent"] = {}): Surveyed => ({
  ...{ looks, silent, newest: 2, unfinished: [] },
  serving: { generation: 2, machines: Object.keys(looks), servers: [] },
});
const membership = {
  cluster: { generation: 2 },
  machines: MACHINES.map((id) => ({ id, store: true })),
} as unknown as Membership;
const stream = (name: string, leader: string, behind: readonly string[] = []) => ({
  ...{ name, messages: 1, bytes: 1, lastSequence: 1, leader },
  followers: MACHINES.filter((id) => id !== leader).map((machine) => ({
    machine,
    current: !behind.includes(machine),
  })),
});
const states = ({ machines }: StoreStatus) => machines.map(({ state }) => state);

test("one machine is the leader, whatever other streams it leads, and a lagging one is reported", () => {
  const sizes = [stream("COMMITS", "m2"), stream("leases", "m3", ["m1"])];
  const status = storeStatus(seen({ m1: look(1), m2: look(2), m3: look(3) }), sizes, membership);
  expect(status).toMatchObject({ state: "open", quorum: { size: 3, up: 3, needed: 2 } });
  expect(states(status)).toEqual(["behind", "leader", "follower"]);
});

test("a machine that does not answer is down; without the greater half there is no quorum", () => {
  const away = { code: "machine_unreachable", message: "silent" };
  const two = storeStatus(seen({ m1: look(1), m2: look(2) }, { m3: away }), undefined, membership);
  expect(two).toMatchObject({ state: "unreachable", quorum: { up: 2 }, silent: ["m3"] });
  expect(states(two)).toEqual(["follower", "follower", "down"]);
  const one = storeStatus(seen({ m1: look(1) }, { m2: away, m3: away }), undefined, membership);
  expect(one).toMatchObject({ state: "no-quorum", quorum: { up: 1 } });
});

test("a set that tells its sizes without leaders is not open", () => {
  const frozen = (n: number): Look => ({ ...look(n), server: null });
  const { leader: _, ...leaderless } = stream("COMMITS", "m1");
  const all = { m1: look(1), m2: look(2), m3: look(3) };
  const one = { m1: look(1), m2: frozen(2), m3: frozen(3) };
  expect(storeStatus(seen(all), [leaderless], membership).state).toBe("unreachable");
  expect(storeStatus(seen(one), [leaderless], membership).state).toBe("no-quorum");
});
