import type {
  ClusterEvent,
  InstanceRow,
  NamespaceRow,
  OperationDetail,
  OperationSummary,
} from "@ployz/primitives/client";
import { describe, expect, it } from "vitest";
import { pathOf } from "../api.ts";
import { type Measures, MOST_POINTS, withSample } from "../live/measures.ts";
import { afterEvent, INITIAL } from "../live/state.ts";
import { differencesOf } from "./difference.ts";
import { lineage } from "./lineage.ts";
import { found, lineOf } from "./lines.ts";
import { timeLine } from "./moments.ts";
import { linkTo, routeOf } from "./route.ts";
import { servicesOf } from "./services.ts";
import { commandIn, visible, visibleLine } from "./text.ts";
import { lanesOf, timelineOf } from "./timeline.ts";

const AT = "2026-11-29T10:00:00.000Z";
const namespace = (name: string, branchedFrom?: string) =>
  ({
    namespace: name,
    routes: [],
    commit: { services: {}, ...(branchedFrom && { branchedFrom }) },
  }) as unknown as NamespaceRow;

describe("lineage", () => {
  it("puts each branch below its source, and loses none", () => {
    const rows = [
      namespace("pr-10", "prod"),
      namespace("pr-9", "prod"),
      namespace("prod"),
      namespace("try", "pr-9"),
      namespace("left", "gone"),
    ];
    expect(lineage(rows).map(({ row, depth }) => `${depth} ${row.namespace}`)).toEqual([
      "0 left",
      "0 prod",
      "1 pr-9",
      "2 try",
      "1 pr-10",
    ]);
    const circle = [namespace("a", "b"), namespace("b", "a"), namespace("c", "c")];
    expect(
      lineage(circle)
        .map(({ row }) => row.namespace)
        .sort(),
    ).toEqual(["a", "b", "c"]);
  });
});

describe("services", () => {
  it("counts committed instances, and lists candidates and strays beside them", () => {
    const row = {
      namespace: "prod",
      routes: [{ kind: "http", host: "a.test", path: "/", port: "http", service: "web" }],
      commit: { services: { web: {}, off: { stopped: true } } },
    } as unknown as NamespaceRow;
    const one = (id: string, state: string, committed = true, of = "prod") =>
      ({ id, namespace: of, service: "web", slot: 0, state, committed }) as InstanceRow;
    const [off, web] = servicesOf(row, [
      one("a", "running"),
      one("b", "exited"),
      one("c", "candidate", false),
      one("d", "running", true, "other"),
    ]);
    expect(web).toMatchObject({ running: 1, wanted: 2, health: "degraded", routes: ["a.test"] });
    expect(web?.instances.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(off).toMatchObject({ name: "off", health: "stopped" });
  });
});

describe("timeline", () => {
  const step = (id: string, state: string, machine?: string) => ({
    id,
    title: `do ${id}`,
    phase: "prepare",
    state,
    ...(machine && { machine }),
  });
  const detail = {
    summary: {},
    owed: [],
    steps: [step("a", "started", "m10"), step("b", "pending", "m2"), step("c", "pending")],
    plan: {
      prepare: [
        { id: "b", needs: ["a"] },
        { id: "c", needs: ["a", "b"] },
      ],
      settle: [],
    },
  } as unknown as OperationDetail;

  it("says what each step waits for, until it is done", () => {
    expect(timelineOf(detail, []).steps.map(({ waitsFor }) => waitsFor)).toEqual([
      [],
      ["do a"],
      ["do a", "do b"],
    ]);
    const events = [
      { type: "progress", step: "b", note: "copying", done: 1, total: 4 },
      { type: "step", step: "a", title: "do a", state: "done", ms: 7 },
      { type: "step", step: "b", title: "do b", state: "started" },
    ] as const;
    const { steps, waiting } = timelineOf(detail, events);
    expect(steps).toMatchObject([
      { state: "done", ms: 7 },
      { state: "started", note: "copying", share: 0.25 },
      { state: "pending", waitsFor: ["do b"] },
    ]);
    expect(waiting).toBeUndefined();
    expect(timelineOf(detail, [{ type: "waiting", what: "deploy.prod" }]).waiting).toBe("deploy.prod");
  });

  it("has a lane for each machine, in the order of their numbers", () => {
    expect(lanesOf(timelineOf(detail, []).steps).map(({ machine }) => machine)).toEqual([
      "coordinator",
      "m2",
      "m10",
    ]);
  });
});

it("the difference of two commits names each field that differs, and not who made them", () => {
  const commit = (env: object, extra: object = {}) =>
    ({
      by: Math.random(),
      services: { web: { revision: "r", spec: { env } } },
      jobs: {},
      instances: [],
      volumes: [],
      routes: [],
      ...extra,
    }) as never;
  const volume = { volumes: [{ name: "data", id: "x", machine: "m1" }] };
  expect(differencesOf(commit({ A: "1", B: "2" }), commit({ A: "1", B: "3", "<b>": "4" }, volume))).toEqual([
    { path: "services.web.spec.env.<b>", after: "4" },
    { path: "services.web.spec.env.B", before: "2", after: "3" },
    { path: "volumes", before: "{}" },
    { path: "volumes.data.id", after: "x" },
    { path: "volumes.data.machine", after: "m1" },
    { path: "volumes.data.name", after: "data" },
  ]);
  expect(differencesOf(commit({ A: "1" }), commit({ A: "1" }))).toEqual([]);
});

describe("measures", () => {
  const sample = (
    seconds: number,
    cpuNanos: number,
    id = "a",
  ): Extract<ClusterEvent, { type: "sample" }> => ({
    ...{ type: "sample", at: new Date(Date.parse(AT) + seconds * 1000).toISOString(), machines: [] },
    instances: [{ id, memoryBytes: 5, cpuNanos }],
  });
  const all = (...samples: readonly Extract<ClusterEvent, { type: "sample" }>[]) =>
    samples.reduce(withSample, new Map() as Measures);

  it("CPU is the cores used since the last sample; a restart is no negative one", () => {
    expect(all(sample(0, 1e9), sample(5, 3.5e9), sample(10, 1e9)).get("a")?.cpu).toEqual([null, 0.5, null]);
  });
  it("an hour is kept, and nothing of an instance that is gone", () => {
    const many = Array.from({ length: MOST_POINTS + 50 }, (_, at) => sample(at * 5, at));
    expect(all(...many).get("a")?.times.length).toBe(MOST_POINTS);
    expect([...all(sample(0, 1), sample(5, 1, "b")).keys()]).toEqual(["b"]);
  });
});

it("an event names the documents to read again, and replaces its operation in the list", () => {
  const operation = (id: string, state: string) => ({ operation: id, state }) as OperationSummary;
  const one = afterEvent(INITIAL, { type: "operation", at: AT, operation: operation("01A", "running") });
  const two = afterEvent(one.state, { type: "operation", at: AT, operation: operation("01B", "running") });
  const three = afterEvent(two.state, { type: "operation", at: AT, operation: operation("01A", "failed") });
  expect(three.state.operations).toEqual([operation("01B", "running"), operation("01A", "failed")]);
  expect([one.state.changes, three.state.changes]).toEqual([0, 1]);
  expect(afterEvent(INITIAL, { type: "following", at: AT })).toMatchObject({
    state: { connection: "live" },
    stale: ["cluster", "operations"],
  });
  expect(afterEvent(INITIAL, { type: "sample", at: AT, machines: [], instances: [] }).stale).toEqual([]);
  expect(
    afterEvent(INITIAL, { type: "warning", at: AT, state: "raised", message: "", hint: "" }).stale,
  ).toEqual(["cluster"]);
});

it("control and bidirectional characters of other programs are made visible", () => {
  expect(visible("a\u202Eb\u0000c<script>")).toBe("a\uFFFDb\uFFFDc<script>");
  expect(visibleLine("\u001b[31mred\u001b[0m\tx\u001b]0;t\u0007")).toBe("red  x\uFFFD]0;t\uFFFD");
});

it("a hint's command is offered when there is nothing to fill in", () => {
  expect(commandIn("list them: ployzctl ps prod; deploy again")).toBe("ployzctl ps prod");
  expect(commandIn("ployzctl machine storage promote --replicas 3 m1 m2 m3")).toBe(
    "ployzctl machine storage promote --replicas 3 m1 m2 m3",
  );
  expect(commandIn("ployzctl machine storage promote --replicas 3 M1 M2 M3")).toBeUndefined();
  expect(commandIn("start m2 again")).toBeUndefined();
});

it("addresses of pages survive any name", () => {
  expect(routeOf(linkTo("logs", "a/b", "<c>"))).toEqual({ page: "logs", of: ["a/b", "<c>"] });
  expect(routeOf("#/nothing/%zz")).toEqual({ page: "cluster", of: ["%zz"] });
  expect(
    pathOf("GET /v1/namespaces/:ns/commits/:commit", {
      params: { ns: "a/b", commit: "?" },
      query: { x: undefined },
    }),
  ).toBe("/v1/namespaces/a%2Fb/commits/%3F");
});

it("a search finds lines that have all its words", () => {
  const line = (text: string, id: number) =>
    lineOf(
      {
        type: "line",
        machine: "m1",
        namespace: "prod",
        service: "web",
        instance: "prod.web.3.x",
        time: AT,
        stream: "stdout",
        line: text,
      },
      id,
    );
  const lines = [line("GET /a 200", 0), line("GET /b 500 Error", 1)];
  expect(found(lines, "error get").map(({ id }) => id)).toEqual([1]);
  expect(found(lines, "web.3@m1")).toHaveLength(2);
  const change = {
    type: "change",
    namespace: "prod",
    primitive: "deploy",
    operation: "OP",
    time: AT,
  } as const;
  expect(lineOf({ ...change, started: ["web.1"], ended: ["web.2"] }, 3)).toMatchObject({
    text: "deploy OP: +web.1 −web.2",
    kind: "change",
  });
  expect(lines[0]).toMatchObject({ time: "10:00:00.000", from: "web.3@m1", kind: "stdout" });
});

it("moments are placed from the first one to now", () => {
  const line = timeLine(
    [{ t: "2026-11-29T10:00:00Z" }, { t: "2026-11-29T11:00:00Z" }, { t: "nonsense" }],
    ({ t }) => t,
    Date.parse("2026-11-29T12:00:00Z"),
  );
  expect(line.moments.map(({ at }) => at)).toEqual([0, 0.5]);
});
