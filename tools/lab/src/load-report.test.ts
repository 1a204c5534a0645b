import { describe, expect, it } from "vitest";
import { type LoadOptions, type Sample, summarize } from "./load-report.ts";

const options: LoadOptions = {
  url: "http://10.77.0.11/",
  rate: 10,
  seconds: 1,
  lateMs: 100,
  timeoutMs: 1_000,
  keepAlive: false,
};
const report = (endMs: number, samples: readonly Sample[]) => summarize(options, "t", endMs, samples);

describe("summarize", () => {
  it("counts an error status and a missing answer as failures, each with its time and reason", () => {
    const { ok, failed, failures, statuses } = report(300, [
      { dueMs: 0, endMs: 5, status: 200 },
      { dueMs: 100, endMs: 105, status: 503 },
      { dueMs: 200, endMs: 201, error: "ECONNREFUSED" },
    ]);
    expect({ ok, failed, statuses }).toEqual({ ok: 1, failed: 2, statuses: { 200: 1, 503: 1, none: 1 } });
    expect(failures).toEqual([
      { atMs: 100, afterMs: 5, reason: "status 503" },
      { atMs: 200, afterMs: 1, reason: "ECONNREFUSED" },
    ]);
  });

  it("measures the longest time without a success, whatever order the answers came in", () => {
    const answers = [
      { dueMs: 900, endMs: 905, status: 200 },
      { dueMs: 0, endMs: 5, status: 200 },
      { dueMs: 300, endMs: 310, error: "ECONNRESET" },
      { dueMs: 100, endMs: 105, status: 200 },
    ];
    expect(report(1_000, answers).longestGapMs).toBe(800);
  });

  it("counts the silence before the first and after the last success", () => {
    expect(report(1_000, [{ dueMs: 600, endMs: 600, status: 200 }]).longestGapMs).toBe(600);
    expect(report(1_000, [{ dueMs: 10, endMs: 20, status: 200 }]).longestGapMs).toBe(980);
    expect(report(1_000, []).longestGapMs).toBe(1_000);
  });

  it("takes latency from the scheduled time, and names what came late", () => {
    const samples = Array.from({ length: 100 }, (_, i) => ({ dueMs: i, endMs: i + i + 1, status: 200 }));
    const { p50Ms, p99Ms, maxMs, late } = report(1_000, [...samples, { dueMs: 0, endMs: 500, status: 200 }]);
    expect({ p50Ms, p99Ms, maxMs, late }).toEqual({ p50Ms: 51, p99Ms: 100, maxMs: 500, late: 1 });
  });

  it("has no latency when nothing succeeded", () => {
    expect(report(10, [{ dueMs: 0, endMs: 1, status: 500 }]).p99Ms).toBeNull();
  });
});
