import type { LogEvent } from "@ployz/primitives/client";
import type { Commit } from "@ployz/primitives/protocol";
import { expect, test } from "vitest";
import type { LogSources } from "../daemon/log-sources.ts";
import { PloyzError } from "../error-codes.ts";
import { mergedLogs } from "./logs.ts";

type LogItem = { readonly time: string; readonly stream: "stdout"; readonly line: string };

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
    async *job(machine, { job }) {
      if (machine === "m2" && job === "migrate") yield { ...at(1, "migrated"), instance: "prod.migrate.0.x" };
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

const text = (event: LogEvent) => (event.type === "line" ? event.line : `gap ${event.machine}`);
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
  expect(await read("prod/migrate")).toEqual(["migrated"]);
  await expect(read("prod/other")).rejects.toMatchObject({ code: "no_such_service" });
  await expect(read("other")).rejects.toMatchObject({ code: "no_such_namespace" });
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
  expect([...seen].sort()).toEqual(["a1", "a2", "b3", "gap on-a"]);
  expect(world.asked[0]).toBe("a 5");
  expect(world.listeners.size).toBe(0);
});
