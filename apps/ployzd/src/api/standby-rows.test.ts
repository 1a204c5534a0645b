import { type Commit, emptyCommit, type MachineObservation } from "@ployz/primitives/protocol";
import { describe, expect, it } from "vitest";
import { standbyRows, standbyWarnings } from "./standby-rows.ts";

const NOW = Date.parse("2026-01-01T01:00:00Z");
const commit: Commit = {
  ...emptyCommit({ namespace: "prod", operation: "0", primitive: "deploy", at: "", by: "" }),
  volumes: [
    {
      ...{ name: "data", id: "prod.data.a", machine: "m1", guid: "1" },
      spec: { scope: "single", standby: { machines: ["m1", "m2", "m3"], everyMs: 60_000 } },
    },
  ],
};
const having = (standby?: string, id = "prod.data.a") =>
  ({ volumes: [{ id, namespace: "prod", name: "data", state: "retired", usedBytes: 5, standby }] }) as never;
const rows = (m2: MachineObservation | undefined, takenAt?: string, id = "prod.data.a") =>
  standbyRows([commit], {
    seen: new Map([["m2", m2]]),
    records: new Map(
      takenAt === undefined ? [] : [["standby.prod.data.m2", { id, takenAt, bytes: 7 } as never]],
    ),
    now: NOW,
  });

describe("a standby", () => {
  it.each([
    ["current", having("2026-01-01T00:58:00Z"), undefined, 120_000],
    ["old", having("2026-01-01T00:50:00Z"), undefined, 600_000],
    ["none", having(undefined), "2026-01-01T00:58:00Z", undefined],
    ["none", having("2026-01-01T00:58:00Z", "prod.data.before"), undefined, undefined],
    ["unknown", undefined, "2026-01-01T00:59:00Z", 60_000],
  ])("%s", (state, m2, takenAt, lagMs) => {
    const [, row] = rows(m2, takenAt);
    expect([row?.machine, row?.state, row?.lagMs]).toEqual(["m2", state, lagMs]);
  });

  it("on the volume's own machine is none, and the record of an earlier volume does not count", () => {
    expect(rows(undefined)[0]).toMatchObject({ machine: "m1", state: "home" });
    expect(rows(undefined, "2026-01-01T00:59:00Z", "prod.data.before")[1]?.holds).toBeUndefined();
  });

  it("is warned of when it is too old, or has no copy long after it was asked for", () => {
    const warned = (m2: MachineObservation | undefined, committedAt = NOW) =>
      standbyWarnings(rows(m2).slice(0, 2), () => committedAt, NOW).map(({ message }) => message);
    expect(warned(having("2026-01-01T00:50:00Z"))).toEqual([
      "the standby of prod/data on m2 is 600 s behind",
    ]);
    expect(warned(having("2026-01-01T00:58:00Z"))).toEqual([]);
    expect(warned(having(undefined))).toEqual([]);
    expect(warned(having(undefined), NOW - 3_600_000)).toEqual([
      "the standby of prod/data on m2 has no copy yet",
    ]);
  });
});
