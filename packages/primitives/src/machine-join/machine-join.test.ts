import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { INVITE_GRACE_MS, type Invite } from "../model/invite.ts";
import { checkPrimitive, checkSchedule } from "../testing/harness/check.ts";
import { createCluster, type Fault, openProcess } from "../testing/harness/process.ts";
import {
  inputOf,
  inspectJoin,
  invite,
  type JoinWorld,
  joining,
  joinScenario,
  joinWorld,
  OPEN,
  SECOND,
} from "../testing/scenarios/machine-join.ts";
import { machineJoin } from "./index.ts";
import type { MachineJoinInput } from "./input.ts";

type Outcome = Awaited<ReturnType<ReturnType<typeof openProcess>["run"]>>;

/** `done`, or the code of what it ended with. */
function told(outcome: Outcome): string | undefined {
  if (typeof outcome === "string" || outcome.kind === "plan") return "no result";
  if (outcome.kind === "refused") return outcome.refusals[0]?.code;
  return outcome.error?.code ?? outcome.state;
}

const join = (world: JoinWorld, input: MachineJoinInput = inputOf()) =>
  openProcess(world, createCluster(world.clock), { primitive: machineJoin, input, machine: "m1" }).run();

const change = async ({ ports }: JoinWorld, id: string, to: (invite: Invite) => Invite) => {
  const found = await ports.store.facts.get(`invite.${id}`);
  if (found === undefined) throw new Error(`no invite ${id}`);
  await ports.store.facts.put(found.key, to(found.value), found.revision);
};

describe("machine join under the harness", () => {
  it("ends with a member, or with the invite open and nothing changed", async () => {
    expect(await checkPrimitive(joinScenario())).toEqual([]);
  }, 120_000);

  it("survives any schedule of faults", async () => {
    const fault = fc.record({
      at: fc.nat(60),
      when: fc.constantFrom("before" as const, "after" as const),
      kind: fc.constantFrom<Fault["kind"]>("crash", "unavailable", "abort"),
    });
    const runs = fc.array(fc.array(fault, { maxLength: 3 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(runs, async (schedule) => {
        expect(await checkSchedule(joinScenario(), schedule)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  }, 120_000);
});

describe("two machines that join at once", () => {
  /** Machine B begins on m2 at call `at` of machine A's join on m1. */
  async function race(at: number, second: MachineJoinInput) {
    const world = await joinWorld();
    const cluster = createCluster(world.clock);
    const start = (input: MachineJoinInput, machine: string, faults: readonly Fault[] = []) =>
      openProcess(world, cluster, { primitive: machineJoin, input, machine, faults });
    const other: Promise<Outcome>[] = [];
    const also = () => void other.push(start(second, "m2").run());
    const process = start(inputOf(), "m1", [{ at, when: "before", kind: "call", also }]);
    const outcome = await process.run();
    return {
      world,
      outcomes: [outcome, ...(await Promise.all(other))].map(told),
      calls: process.trace.length,
    };
  }
  async function every(second: MachineJoinInput, look: (found: Awaited<ReturnType<typeof race>>) => unknown) {
    const { calls } = await race(0, second);
    for (let at = 0; at < calls; at++) await look(await race(at, second));
  }

  it(
    "with a token each: both are in, with a subnet of their own",
    () =>
      every(inputOf("B", "b.example.test", SECOND), async ({ world, outcomes }) => {
        expect(outcomes).toEqual(["done", "done"]);
        const records = (await world.ports.store.facts.list("machine")).map(({ value }) => value);
        for (const of of ["id", "index", "subnet", "address", "publicKey"] as const)
          expect(new Set(records.map((record) => record[of])).size).toBe(4);
      }),
    60_000,
  );

  it(
    "with one token: one joins, the other learns that the token was used, and nothing of it is left",
    () =>
      every(inputOf("B", "b.example.test"), async ({ world, outcomes }) => {
        expect([...outcomes].sort()).toEqual(["done", "invite_used"]);
        const winner = outcomes[0] === "done" ? "a" : "b";
        expect(await inspectJoin(world)).toMatchObject({
          machines: [expect.stringMatching(`^${winner} active [34] `), expect.anything(), expect.anything()],
          invites: [`invite.${OPEN} ${winner}`, `invite.${SECOND} open`],
          joined: ["a", "b"].map((one) => `${one.toUpperCase()} ${one === winner ? one : "-"}`),
        });
      }),
    60_000,
  );

  it(
    "under one name: one gets it, and the other's invite is open again",
    () =>
      every(inputOf("B", "a.example.test", SECOND), async ({ world, outcomes }) => {
        expect(outcomes.filter((one) => one === "done").length).toBe(1);
        expect(["name_taken", "machine_joining"]).toContain(outcomes.find((one) => one !== "done"));
        const { invites, answering } = (await inspectJoin(world)) as {
          invites: string[];
          answering: string[];
        };
        expect(invites.filter((one) => one.endsWith(" open")).length).toBe(1);
        expect(answering).toEqual(["m1", "m2", "a"]);
      }),
    60_000,
  );
});

describe("an invite", () => {
  const nothing = async (world: JoinWorld, input: MachineJoinInput, code: string) => {
    const before = await inspectJoin(world);
    expect(told(await join(world, input))).toBe(code);
    expect(await inspectJoin(world)).toEqual(before);
  };

  it("that is unknown, revoked or expired admits no machine", async () => {
    const world = await joinWorld();
    await nothing(world, inputOf("A", "a", "00000000000000cc"), "invite_unknown");
    await change(world, OPEN, (open) => ({ ...open, revoked: true }));
    await nothing(world, inputOf(), "invite_revoked");
    await change(world, SECOND, (open) => ({ ...open, expiresAt: world.clock.now() }));
    await nothing(world, inputOf("A", "a", SECOND), "invite_expired");
  });

  it("that is revoked or expires between the look and the claim admits no machine", async () => {
    const trial = async (to: (open: Invite) => Invite) => {
      const world = await joinWorld();
      const trace = async (faults: readonly Fault[]) => {
        const process = openProcess(world, createCluster(world.clock), {
          ...{ primitive: machineJoin, input: inputOf(), machine: "m1", faults },
        });
        return { outcome: await process.run(), trace: process.trace };
      };
      const plain = await joinWorld();
      const process = openProcess(plain, createCluster(plain.clock), {
        ...{ primitive: machineJoin, input: inputOf(), machine: "m1" },
      });
      await process.run();
      // The claim reads the clock, then the fact: the last `now` of the run.
      const at = process.trace.lastIndexOf("now");
      const also = () => void change(world, OPEN, to);
      const { outcome } = await trace([{ at, when: "before", kind: "call", also }]);
      expect((await inspectJoin(world)) as object).toMatchObject({ answering: ["m1", "m2"] });
      return told(outcome);
    };
    expect(await trial((open) => ({ ...open, revoked: true }))).toBe("invite_revoked");
    expect(await trial((open) => ({ ...open, expiresAt: 0 }))).toBe("invite_expired");
  });

  it("is for one machine; that one may ask again for a while, and gets the same answer", async () => {
    const world = await joinWorld();
    expect(told(await join(world))).toBe("done");
    await nothing(world, inputOf("B", "b.example.test"), "invite_used");
    const again = await join(world);
    expect(again).toMatchObject({ state: "done", changed: false });
    await world.clock.sleep(INVITE_GRACE_MS + 1);
    await nothing(world, inputOf(), "invite_used");
  });

  it("says the name and place of the machine, whatever the machine says", async () => {
    const world = await joinWorld(({ ports, clock }) =>
      ports.store.facts.put(
        "invite.00000000000000dd",
        invite("00000000000000dd", clock.now(), { name: "edge", region: "eu" }),
        0,
      ),
    );
    const self = { ...joining("A", "a.example.test"), region: "us", az: "us-1" };
    expect(told(await join(world, { invite: "00000000000000dd", self }))).toBe("done");
    const record = await world.ports.store.facts.get("machine.edge");
    expect(record?.value).toMatchObject({ region: "eu", az: "us-1", state: "active" });
  });
});

describe("refuses before anything is touched", () => {
  it.each<
    [string, (input: MachineJoinInput) => MachineJoinInput, (world: JoinWorld, down: Set<string>) => unknown]
  >([
    ["name_taken", () => inputOf("A", "m2"), () => {}],
    ["cidr_overlap", (input) => ({ ...input, self: { ...input.self, routes: ["10.101.7.0/24"] } }), () => {}],
    ["identity_taken", () => inputOf("A", "x", SECOND), (world) => join(world)],
    ["store_machine_unreachable", (input) => input, (_world, down) => down.add("m1")],
  ])("%s", async (code, to, prepare) => {
    const world = await joinWorld();
    const cluster = createCluster(world.clock);
    await prepare(world, cluster.down);
    const before = await inspectJoin(world);
    const outcome = await openProcess(world, cluster, {
      ...{ primitive: machineJoin, input: to(inputOf()), machine: "m2" },
    }).run();
    expect(told(outcome)).toBe(code);
    expect(await inspectJoin(world)).toEqual(before);
  });

  it("a machine that disconnected before its answer: the seat and the invite are given back", async () => {
    const world = await joinWorld(({ ports }) => {
      for (const machine of ports.joiner.waiting.values()) machine.waiting = false;
    });
    const before = await inspectJoin(world);
    expect(told(await join(world))).toBe("joiner_gone");
    expect(await inspectJoin(world)).toEqual(before);
  });

  it.each<[string, object]>([
    ["a key that is none", { publicKey: "x\n[Peer]" }],
    ["an nkey that is none", { nkey: "U" }],
    ["endpoints with more in them", { endpoints: ["198.51.100.1:1\nAllowedIPs=0.0.0.0/0"] }],
    ["a runtime that is none", { runtime: "vm" }],
    ["a version with a line break", { version: "1\n2" }],
    ["a region that is no label", { region: "EU west" }],
    ["no routes", { routes: undefined }],
  ])("%s", (_what, more) => {
    const parsed = machineJoin.parse({ invite: OPEN, self: { ...joining("A", "a"), ...more } });
    expect(parsed).toMatchObject({ ok: false, refusals: [{ code: "invalid_input" }] });
  });
});
