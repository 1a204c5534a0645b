import type { LogEvent } from "@ployz/primitives/client";
import type { Commit } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import type { LogSources } from "../daemon/log-sources.ts";
import { PloyzError } from "../error-codes.ts";
import { type LogQuery, mergedLogs } from "./logs.ts";

type LogItem = { readonly time: string; readonly stream: "stdout" | "stderr"; readonly line: string };

const ENDED = Date.parse("2026-01-01T00:00:30Z");

const at = (second: number, line: string): LogItem => ({
  time: `2026-01-01T00:00:${String(second).padStart(2, "0")}.000000000Z`,
  stream: "stdout",
  line,
});

/** A cluster of one service, whose instances and lines the test sets. */
function cluster(lines: Record<string, readonly (LogItem | Error)[]>) {
  const listeners = new Set<() => void>();
  let ids = Object.keys(lines);
  const asked: string[] = [];
  const sources: LogSources = {
    heads: () => [
      {
        commit: {
          namespace: "prod",
          ...{ operation: "01OP", primitive: "deploy" },
          ...{ services: { web: {} }, jobs: {}, volumes: [] },
          instances: ids.map((id) => ({ id, machine: `on-${id}`, service: "web" })),
        } as unknown as Commit,
      },
    ],
    onHeads(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    machines: () => ["m1", "m2"],
    async *instance(_machine, id, { follow, tail }, signal) {
      asked.push(`${id} ${tail}`);
      for (const line of lines[id] ?? []) {
        if (line instanceof Error) {
          lines[id] = (lines[id] ?? []).filter((one) => one !== line);
          throw line;
        }
        yield line;
      }
      if (follow) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    },
    runs: async () => [{ id: "prod.web.run.abcdefgh", machine: "m1" }],
    async *ended(machine, { namespace, service }) {
      const kept = machine === "m2" ? ["prod.migrate.1.a", "prod.migrate.1.b", "prod.web.1.a"] : [];
      for (const [index, instance] of kept.entries())
        if (instance.startsWith(`${namespace}.${service ?? ""}`))
          yield { instance, namespace, service: instance.split(".")[1] ?? "", endedMs: ENDED + index };
    },
    async *kept(_machine, id) {
      yield at(0, `kept ${id}`);
      yield { ...at(6, `late ${id}`), stream: "stderr" };
    },
  };
  return {
    sources,
    asked,
    listeners,
    deploy(next: readonly string[]) {
      ids = [...next];
      for (const listener of listeners) listener();
    },
  };
}

const text = (event: LogEvent) => {
  if (event.type === "line") return event.line;
  return event.type === "gap"
    ? `gap ${event.machine}`
    : `${event.primitive}: ${event.started}, not ${event.ended}`;
};
const all = async (events: AsyncIterable<LogEvent>) => {
  const seen: string[] = [];
  for await (const event of events) seen.push(text(event));
  return seen;
};
const never = new AbortController().signal;

test("replicas are merged by time, and a machine that fails is a gap", async () => {
  const { sources } = cluster({
    a: [at(1, "a1"), at(4, "a4")],
    b: [at(2, "b2"), at(3, "b3"), at(5, "b5")],
    c: [new PloyzError({ code: "machine_unreachable", message: "away" })],
  });
  const seen = await all(mergedLogs(sources, "prod/web", { follow: false, tail: 9 }, never));
  expect(seen).toEqual(["gap on-c", "a1", "b2", "b3", "a4", "b5"]);
});

test("a job that has succeeded still has its output; an unknown service has none", async () => {
  const { sources } = cluster({});
  const read = (target: string) => all(mergedLogs(sources, target, { follow: false, tail: 9 }, never));
  expect(await read("prod/migrate")).toEqual(["kept prod.migrate.1.b", "late prod.migrate.1.b"]);
  await expect(read("prod/other")).rejects.toMatchObject({ code: "no_such_service" });
  await expect(read("other")).rejects.toMatchObject({ code: "no_such_namespace" });
});

test("one of several instances by its number", async () => {
  const { sources } = cluster({ "prod.web.1.x": [at(1, "one")], "prod.web.12.y": [at(2, "twelve")] });
  const read = (target: string, query: Partial<LogQuery> = {}) =>
    all(mergedLogs(sources, target, { follow: false, ...query }, never));
  expect(await read("prod/web.1")).toEqual(["one"]);
  expect(await read("prod/web.12")).toEqual(["twelve"]);
  for (const query of [{}, { follow: true }, { sinceMs: 1 }])
    await expect(read("prod/web.2", query)).rejects.toMatchObject({
      code: "no_such_instance",
      message: "prod/web has no instance 2",
      hint: "ployzctl logs prod/web",
    });
});

test("following goes over a deploy and a lost machine, shows no line twice, and ends with its asker", async () => {
  const lines: Record<string, readonly (LogItem | Error)[]> = {
    a: [at(1, "a1"), new PloyzError({ code: "call_interrupted", message: "restarted" }), at(2, "a2")],
  };
  const world = cluster(lines);
  const leaving = new AbortController();
  const seen: string[] = [];
  for await (const event of mergedLogs(
    world.sources,
    "prod/web",
    { follow: true, tail: 5 },
    leaving.signal,
  )) {
    seen.push(text(event));
    if (text(event) === "a2") {
      lines.b = [at(3, "b3")];
      world.deploy(["b"]);
    }
    if (text(event) === "b3") leaving.abort();
  }
  expect([...seen].sort()).toEqual(["a1", "a2", "b3", "deploy: b, not a", "gap on-a"]);
  expect(world.asked[0]).toBe("a 5");
  expect(world.listeners.size).toBe(0);
});

test("replaced instances are shown with a time or --previous; streams and times choose lines", async () => {
  const { sources } = cluster({ a: [at(1, "a1"), at(4, "a4")] });
  const read = (query: Partial<LogQuery>, target = "prod/web") =>
    all(mergedLogs(sources, target, { follow: false, ...query }, never));
  expect(await read({})).toEqual(["a1", "a4"]);
  expect(await read({ previous: true })).toEqual(["kept prod.web.1.a", "late prod.web.1.a"]);
  expect(await read({ previous: true }, "prod/web.1")).toEqual(["kept prod.web.1.a", "late prod.web.1.a"]);
  await expect(read({ previous: true }, "prod/web.2")).rejects.toMatchObject({
    code: "no_such_instance",
    message: "no instance of prod/web.2 has been replaced or has ended lately",
  });
  const since = Date.parse("2026-01-01T00:00:02Z");
  expect(await read({ sinceMs: since })).toEqual(["a4", "late prod.web.1.a"]);
  expect(await read({ untilMs: since })).toEqual(["kept prod.web.1.a", "a1"]);
  expect(await read({ sinceMs: ENDED + 10 })).toEqual([]);
  expect(await read({ sinceMs: since, stream: "stderr" })).toEqual(["late prod.web.1.a"]);
  expect(await read({ instance: "prod.migrate.1.a" }, "prod")).toEqual([
    "kept prod.migrate.1.a",
    "late prod.migrate.1.a",
  ]);
  await expect(read({ instance: "prod.web.9.z" })).rejects.toMatchObject({ code: "no_such_instance" });
});

test("followed from a time, what has ended since comes first", async () => {
  const { sources } = cluster({ "prod.web.1.b": [at(40, "live")] });
  const leaving = new AbortController();
  const seen: string[] = [];
  const since = { follow: true, tail: 9, sinceMs: Date.parse("2026-01-01T00:00:00Z") };
  for await (const event of mergedLogs(sources, "prod", since, leaving.signal)) {
    seen.push(text(event));
    if (seen.includes("live")) leaving.abort();
  }
  expect(seen.slice(-1)).toEqual(["live"]);
  expect(seen).toEqual(expect.arrayContaining(["kept prod.migrate.1.b", "kept prod.web.1.a"]));
});

test("a job that has not run says so", async () => {
  const { sources } = cluster({});
  const heads = sources.heads();
  const withJob = {
    ...sources,
    heads: () =>
      heads.map(({ commit }) => ({ commit: { ...commit, jobs: { report: {} } } as unknown as Commit })),
  };
  await expect(
    all(mergedLogs(withJob, "prod/report", { follow: false, tail: 9 }, never)),
  ).rejects.toMatchObject({ message: "prod/report has no logs: the job has not run lately" });
});
