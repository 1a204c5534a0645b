import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Events, type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

let daemon: FakeDaemon;
const line = (text: string) => ({
  ...{ type: "line", machine: "m1", namespace: "prod", service: "web", instance: "prod.web.1.a" },
  ...{ time: "2026-01-01T00:00:00.000000000Z", stream: "stdout", line: text },
});
const change = {
  ...{ type: "change", namespace: "prod", primitive: "deploy", operation: "01OP" },
  ...{ time: "2026-01-01T00:00:01.000Z", started: ["prod.web.1.b"], ended: ["prod.web.1.a"] },
};
beforeAll(async () => {
  daemon = await fakeDaemon({ "GET /v1/logs": () => new Events([line("one"), line("two ERROR"), change]) });
});
afterAll(() => daemon.close());
const logs = (...argv: readonly string[]) => ctl(["logs", ...argv], { env: { PLOYZ_SOCKET: daemon.socket } });

it("times, streams and instances are asked of the daemon; text is matched here", async () => {
  const before = Date.now();
  const { out, err } = await logs(
    "prod/web",
    "--since",
    "10m",
    "--until",
    "2030-01-01",
    "--grep",
    "ERR",
    "--stderr",
  );
  expect([out, err]).toEqual(["web.1@m1 | two ERROR\n", "prod: deploy 01OP started web.1, ended web.1\n"]);
  const { since, ...query } = daemon.received.at(-1)?.query ?? {};
  expect(query).toEqual({ target: "prod/web", until: String(Date.parse("2030-01-01")), stream: "stderr" });
  expect(Math.abs(Number(since) - (before - 600_000))).toBeLessThan(60_000);
  await logs("prod", "--previous", "--instance", "prod.web.1.a", "--tail", "5");
  expect(daemon.received.at(-1)?.query).toEqual({
    target: "prod",
    tail: "5",
    previous: "true",
    instance: "prod.web.1.a",
  });
  await logs("prod/web.2");
  expect(daemon.received.at(-1)?.query).toEqual({ target: "prod/web.2" });
});

it.each([
  [["prod/web.0"], "TARGET"],
  [["prod/web.x"], "TARGET"],
  [["prod/web/1"], "TARGET"],
  [["prod", "--since", "soon"], "--since"],
  [["prod", "--until", "10x"], "--until"],
  [["prod", "--grep", "("], "--grep"],
  [["prod", "-f", "--previous"], "--follow"],
  [["prod", "-f", "--until", "1m"], "--follow"],
  [["prod", "--since", "1m", "--until", "5m"], "later than"],
])("refused: %j", async (argv, message) => {
  const asked = daemon.received.length;
  const { code, err } = await logs(...argv);
  expect([code, err, daemon.received.length]).toEqual([2, expect.stringContaining(message), asked]);
});

describe("events", () => {
  let events: FakeDaemon;
  beforeAll(async () => {
    events = await fakeDaemon({ "GET /v1/events": () => new Events([]) });
  });
  afterAll(() => events.close());
  const show = (...argv: readonly string[]) =>
    ctl(["events", ...argv], { env: { PLOYZ_SOCKET: events.socket } });

  it.each([
    ["7d", 7 * 86_400_000],
    ["90m", 90 * 60_000],
    ["2020-01-01", Date.now() - Date.parse("2020-01-01")],
  ])("since %s are asked by their age", async (since, age) => {
    expect((await show("--since", since)).code).toBe(0);
    expect(Math.abs(Number(events.received.at(-1)?.query.since) - age)).toBeLessThan(60_000);
  });

  it("since no time are refused", async () => {
    const asked = events.received.length;
    const { code, err } = await show("--since", "soon");
    expect([code, err, events.received.length]).toEqual([2, expect.stringContaining("--since"), asked]);
  });
});

it.each([
  ["ops ls --limit 0", "--limit"],
  ["ops ls --limit 10001", "--limit"],
  ["history prod --limit 0", "--limit"],
])("refused before anything is asked: %s", async (line, field) => {
  const { code, err } = await ctl(line.split(" "), { env: { PLOYZ_SOCKET: daemon.socket } });
  expect([code, err]).toEqual([2, expect.stringContaining(field)]);
});
