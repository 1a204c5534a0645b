import type { MachineRow } from "@ployz/primitives/client";
import type { Commit, Machines, OperationSummary } from "@ployz/primitives/protocol";
import { describe, expect, it } from "vitest";
import { warningsOf } from "../warnings/cluster.ts";
import { snapshotList, volumeList, withServiceStandbys, withStandbys } from "./volumes.ts";

const volume = (name: string, machine: string) => ({
  ...{ name, id: `prod.${name}.x`, machine, guid: "1", spec: { scope: "single" as const } },
});
const head = {
  revision: 5,
  commit: {
    namespace: "prod",
    services: { db: { spec: { volumes: { pgdata: "/data" } } } },
    volumes: [volume("pgdata", "m1"), volume("lost", "m1"), volume("away", "m2")],
  } as unknown as Commit,
};
const copy = (id: string, state: string, namespace = "prod") => ({
  ...{ id, namespace, name: id.split(".")[1], state, guid: "1", usedBytes: 2, referencedBytes: 1 },
  operation: "o",
});
const machines = (state = "active") =>
  [
    {
      record: { id: "m1", endpoints: [], store: true },
      reachable: true,
      observation: {
        volumes: [
          ...[copy("prod.pgdata.x", state), copy("prod.pgdata.y", "retired")],
          copy("other.data.x", "active", "other"),
        ],
      },
    },
    { record: { id: "m2", endpoints: [], store: false }, reachable: false },
  ] as unknown as readonly MachineRow[];

describe("volumes", () => {
  it("are the committed ones as their machines have them, and the other copies", () => {
    const { volumes, unreachable } = volumeList([head], machines(), undefined);
    expect(volumes.map(({ id, committed, state, users }) => [id, committed, state, users])).toEqual([
      ["other.data.x", false, "active", []],
      ["prod.away.x", true, "unknown", []],
      ["prod.lost.x", true, "missing", []],
      ["prod.pgdata.x", true, "active", ["db"]],
      ["prod.pgdata.y", false, "retired", []],
    ]);
    expect(unreachable).toEqual(["m2"]);
    expect(volumes[3]?.observed).toMatchObject({ usedBytes: 2, referencedBytes: 1 });
  });

  it("bring their standbys into the list of the services that use them", () => {
    const list = { kind: "instances" as const, instances: [], unreachable: [] };
    const row = { namespace: "prod", id: "", source: "m1", everyMs: 60_000 };
    const rows = [
      { ...row, volume: "pgdata", machine: "m3", state: "current" as const, lagMs: 4_000 },
      { ...row, volume: "pgdata", machine: "m1", state: "home" as const },
      { ...row, volume: "lost", machine: "m3", state: "none" as const },
    ];
    const of = (service?: string) => withServiceStandbys(list, rows, { heads: [head], service }).standbys;
    const shown = [{ namespace: "prod", volume: "pgdata", machine: "m3", state: "current", lagMs: 4_000 }];
    expect(of()).toEqual(shown);
    expect(of("db")).toEqual(shown);
    expect(of("web")).toBeUndefined();
  });

  it("have their standbys, of which the volume's own machine is none", () => {
    const base = { namespace: "prod", volume: "pgdata", id: "prod.pgdata.x", source: "m1", everyMs: 60_000 };
    const { volumes } = withStandbys(volumeList([head], machines(), "prod"), [
      { ...base, machine: "m3", state: "current", lagMs: 4_000, holds: "" },
      { ...base, machine: "m2", state: "none" },
      { ...base, machine: "m1", state: "home" },
    ]);
    expect(volumes.flatMap(({ id, standbys }) => (standbys === undefined ? [] : [[id, standbys]]))).toEqual([
      [
        "prod.pgdata.x",
        [
          { machine: "m3", state: "current", lagMs: 4_000 },
          { machine: "m2", state: "none" },
        ],
      ],
    ]);
  });

  it("can be of one namespace", () => {
    expect(volumeList([head], machines(), "other").volumes.map(({ id }) => id)).toEqual(["other.data.x"]);
  });
});

describe("warnings of volumes", () => {
  const warned = (state: string, over: object = {}) =>
    warningsOf({
      ...{ machines: machines(state), instances: [], namespaces: [], open: [], storeAnswers: true },
      ...{ self: "m1", removed: false, unreadable: [], now: 0, isolated: true },
      volumes: volumeList([head], machines(state), undefined).volumes,
      ...over,
    }).flatMap(({ message }) => (message.startsWith("volume") ? [message] : []));

  it("say which data is out of reach, and where", () => {
    expect(warned("active")).toEqual([
      "volume prod/away is on m2, which does not answer",
      "volume prod/lost is not on m1, where it was committed",
    ]);
  });

  it("tell of a sealed one only when no operation works on it", () => {
    expect(warned("sealed")).toContain("volume prod/pgdata on m1 is sealed: no instance can start on it");
    const open = [{ operation: "o", primitive: "migrate", state: "running" } as OperationSummary];
    expect(warned("sealed", { open }).join()).not.toContain("pgdata");
  });

  it("do not guess while the store does not answer", () => {
    expect(warned("active", { storeAnswers: false }).join()).not.toContain("prod/away");
  });
});

describe("a machine of another build", () => {
  const seen = (id: string, build: string): MachineRow => {
    const [one] = machines();
    if (one?.observation === undefined) throw new Error("no observation");
    return {
      ...one,
      record: { ...one.record, id },
      observation: { ...one.observation, version: "1.0.0", build },
    };
  };
  const told = (rows: readonly MachineRow[]) =>
    warningsOf({
      ...{
        removed: false,
        unreadable: [],
        now: 0,
        isolated: true,
        self: "m1",
        machines: rows,
        instances: [],
        namespaces: [],
        volumes: [],
        open: [],
        storeAnswers: true,
      },
    });

  it("is a warning that names it and the command", () => {
    expect(told([seen("m1", "aaa"), seen("m2", "bbb")])).toEqual([
      {
        ...{ code: "versions_differ", about: "" },
        message: "versions differ: m1 1.0.0 (aaa), m2 1.0.0 (bbb)",
        hint: expect.stringContaining("ployzctl machine update"),
      },
    ]);
    expect(told([seen("m1", "aaa"), seen("m2", "aaa")])).toEqual([]);
  });
});

describe("snapshots", () => {
  const asking: unknown[] = [];
  const retired = { id: "prod.pgdata.old", namespace: "prod", name: "pgdata", state: "retired" };
  const answering = (answer: unknown) =>
    ({
      call: async (...call: unknown[]) => {
        asking.push(call.slice(0, 3));
        const [, command, args] = call as [string, string, { id?: string }];
        if (command === "machine.observe")
          return { volumes: [retired, { ...retired, name: "other", id: "x" }] };
        return args.id === retired.id ? { snapshots: [kept] } : answer;
      },
    }) as unknown as Machines;
  const kept = { name: "s0", guid: "6", createdAt: "2025-01-01T00:00:00Z", usedBytes: 1 };
  const look = (answer: unknown, name = "pgdata", namespace = "prod") =>
    snapshotList(
      [head],
      answering(answer),
      { namespace, volume: name, members: ["m1"] },
      new AbortController().signal,
    );

  it("are asked of the machine that the volume is on, with those of copies that a restore replaced", async () => {
    const snapshots = [{ name: "s1", guid: "7", createdAt: "2026-01-01T00:00:00Z", usedBytes: 1 }];
    expect(await look({ snapshots })).toEqual({
      ...{ kind: "snapshots", namespace: "prod", volume: "pgdata", id: "prod.pgdata.x", machine: "m1" },
      snapshots: [{ ...kept, copy: retired.id }, ...snapshots],
    });
    expect(asking).toEqual([
      ["m1", "volume.snapshots", { id: "prod.pgdata.x" }],
      ["m1", "machine.observe", { namespaces: ["prod"] }],
      ["m1", "volume.snapshots", { id: retired.id }],
    ]);
  });

  it.each([
    ["pgdata", "none", "no_such_namespace"],
    ["nothing", "prod", "no_such_volume"],
    ["lost", "prod", "volume_missing"],
  ])("%s of %s: %s", async (name, namespace, code) => {
    await expect(look(null, name, namespace)).rejects.toMatchObject({ code });
  });
});
