import { expect, it } from "vitest";
import type { GenerationRecord, StoreRecord } from "../server/record.ts";
import { surveyStore } from "./survey.ts";

const record = (...generations: readonly GenerationRecord[]): StoreRecord => ({
  cluster: "c",
  server: "m",
  generation: 1,
  generations,
});
const at = (port: number) => ({ listen: { host: "10.101.0.1", port }, monitorPort: 1 });
const three = {
  id: "r1",
  secret: "s",
  servers: [1, 2, 3].map((n) => ({ machine: `m${n}`, host: `10.101.0.${n}`, port: 6222 })),
};

it("says what serves", () => {
  const serving = { generation: 2, state: "serving", ...at(4223) } as const;
  const old = { generation: 1, state: "retired", fence: "r1", ...at(4222) } as const;
  expect(surveyStore({ m1: record(old, serving), m2: undefined })).toEqual({
    serving: { generation: 2, machines: ["m1"], servers: ["10.101.0.1:4223"] },
    unfinished: [],
  });
  // A server that is still fenced after its generation was passed is nothing to finish.
  const late = { generation: 1, state: "fenced", fence: "r1", ...at(4222) } as const;
  expect(surveyStore({ m1: record(old, serving), m3: record(late) }).unfinished).toEqual([]);
});

it("tells a re-founding that can be given up from one that is decided, and names its servers", () => {
  const founded = (state: "founding" | "serving") => record({ generation: 3, state, id: "r2", ...at(4223) });
  const closed = (state: "fenced" | "retired") =>
    record({ generation: 2, state, fence: "r2", routes: three });
  const survey = (...old: readonly StoreRecord[]) =>
    surveyStore({ m9: founded("founding"), ...Object.fromEntries(old.map((one, n) => [`m${n + 1}`, one])) });
  const server = { machine: "m9", host: "10.101.0.1", port: 4223, routePort: 0, monitorPort: 1 };
  expect(survey(closed("fenced"), closed("fenced"))).toEqual({
    unfinished: [
      {
        id: "r2",
        decided: false,
        set: { generation: 3, id: "r2", servers: [server], routeSecret: "" },
        closed: { generation: 2, machines: ["m1", "m2"] },
      },
    ],
  });
  expect(survey(closed("retired"), closed("fenced")).unfinished[0]?.decided).toBe(false);
  expect(survey(closed("retired"), closed("retired")).unfinished[0]?.decided).toBe(true);
  // One of the new set is open, the other not yet.
  const half = surveyStore({ m8: founded("serving"), m9: founded("founding"), m1: closed("retired") });
  expect(half).toMatchObject({ serving: { machines: ["m8"] }, unfinished: [{ id: "r2", decided: true }] });
  expect(half.unfinished[0]?.set?.servers).toHaveLength(2);
  expect(half.unfinished[0]?.closed).toEqual({ generation: 2, machines: ["m1"] });
});

it("a re-founding finished long ago stays finished while the present generation is closed", () => {
  const first = { generation: 1, state: "retired", fence: "r1", ...at(4222) } as const;
  const second = { generation: 2, state: "retired", id: "r1", fence: "r2", ...at(4223) } as const;
  const fenced = { generation: 3, state: "fenced", id: "r2", fence: "r3", ...at(4222) } as const;
  const away = { generation: 2, state: "serving", id: "r1", ...at(4223) } as const;
  const next = { generation: 4, state: "founding", id: "r3", ...at(4223) } as const;
  const survey = surveyStore({ m1: record(first, second, fenced, next), m2: record(away, next) });
  expect(survey.serving).toBeUndefined();
  expect(survey.unfinished.map(({ id, decided }) => [id, decided])).toEqual([["r3", false]]);
  const retired = { ...fenced, state: "retired" } as const;
  const later = surveyStore({ m1: record(first, second, retired, next), m2: record(away, next) });
  expect(later.unfinished.map(({ id, decided }) => [id, decided])).toEqual([["r3", true]]);
});
