import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogLine, LogOptions } from "@ployz/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { forwardTarget } from "../config/forward.ts";
import { loki, otlp, syslog } from "./encode.ts";
import { type Cursor, linesAfter, nanosOf, type ShippedLine, sinceOf } from "./lines.ts";
import { openSend, type Send } from "./send.ts";
import { openShipper } from "./ship.ts";

const origin = { namespace: "prod", service: "web", slot: "1", revision: "7", instance: "prod.web.1.abcd" };
const time = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, "0")}.000000001Z`;
const line = (second: number, text: string, stream: LogLine["stream"] = "stdout"): LogLine => ({
  ...{ time: time(second), stream, line: text },
});
async function* of<T>(items: readonly T[]) {
  yield* items;
}
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe("a URL of logs.forward", () => {
  it.each([
    ["otlp+http://c", { protocol: "otlp", tls: false, host: "c", port: 80, path: "/v1/logs" }],
    ["otlp+https://c:4318/x?y=1", { tls: true, port: 4318, path: "/x?y=1" }],
    ["loki+https://u:p%40@c", { protocol: "loki", port: 443, path: "/loki/api/v1/push", login: "u:p@" }],
    ["loki+https://c:80", { tls: true, port: 80 }],
    ["syslog+tls://c", { protocol: "syslog", tls: true, port: 6514 }],
    ["syslog+tcp://[fd00::1]:514", { tls: false, host: "fd00::1", port: 514 }],
  ])("%s", (url, target) => expect(forwardTarget(url)).toMatchObject(target));
  it("shows no password", () =>
    expect(forwardTarget("otlp+https://u:secret@c/x")?.shown).toBe("otlp+https://c:443"));
  it.each([
    "http://c",
    "syslog+udp://c",
    "syslog+tls://c/x",
    "syslog+tls://u@c",
    "otlp+http://",
    "otlp+http://c:x",
  ])("%s is none", (url) => expect(forwardTarget(url)).toBeUndefined());
});

describe("a cursor", () => {
  const lines = [line(1, "a"), line(1, "b"), line(1, "c", "stderr"), line(2, "d"), line(0, "e", "stderr")];
  it("leaves out lines that were taken, by stream, and counts lines of one time", async () => {
    const cursor: Cursor = { origin, stdout: { time: time(1), nth: 1 }, stderr: { time: time(1), nth: 1 } };
    const found = await all(linesAfter(cursor, of(lines)));
    expect(found.map(({ line: text, nth }) => `${text}${nth}`)).toEqual(["b2", "d1"]);
    expect(await all(linesAfter({ origin }, of(lines)))).toHaveLength(5);
  });
  it("begins to read where a line may be missing", () => {
    expect(sinceOf({ origin })).toBeUndefined();
    expect(sinceOf({ origin, stdout: { time: time(5), nth: 1 }, stderr: { time: time(3), nth: 1 } })).toBe(
      Date.parse(time(3)),
    );
    expect(sinceOf({ origin, stdout: { time: time(5), nth: 1 } })).toBe(Date.parse(time(5)) - 60_000);
  });
});

describe("lines in the protocols", () => {
  const shipped: readonly ShippedLine[] = [
    { ...line(1, 'say "ü"'), origin, nth: 1 },
    { ...line(2, "no", "stderr"), origin, nth: 1 },
  ];
  const sender = { cluster: "c1", machine: "m1" };
  it("OTLP", () => {
    const [one] = JSON.parse(otlp(shipped, sender)).resourceLogs;
    expect(one.resource.attributes).toContainEqual({
      ...{ key: "service.namespace", value: { stringValue: "prod" } },
    });
    expect(one.scopeLogs[0].logRecords).toMatchObject([
      { timeUnixNano: "1767225601000000001", body: { stringValue: 'say "ü"' } },
      { timeUnixNano: "1767225602000000001", body: { stringValue: "no" } },
    ]);
  });
  it("Loki", () => {
    expect(JSON.parse(loki(shipped, sender)).streams).toMatchObject([
      { stream: { namespace: "prod", service: "web", slot: "1", revision: "7", stream: "stdout" } },
      { stream: { stream: "stderr" }, values: [["1767225602000000001", "no"]] },
    ]);
  });
  it("syslog, each with its length in bytes", () => {
    const bytes = syslog(shipped, sender);
    const length = Number(bytes.subarray(0, bytes.indexOf(" ")).toString());
    const first = bytes
      .subarray(bytes.indexOf(" ") + 1)
      .subarray(0, length)
      .toString();
    expect(first).toMatch(
      /^<134>1 2026-01-01T00:00:01\.000000Z m1 prod\.web prod\.web\.1\.abcd stdout \[ployz@32473 .*slot="1" .*\] say "ü"$/,
    );
    expect(bytes.subarray(bytes.indexOf(" ") + 1 + length).toString()).toMatch(/^\d+ <133>1 .* no$/);
  });
  it("times as nanoseconds", () => expect(nanosOf("2026-01-01T00:00:00.5Z")).toBe("1767225600500000000"));
});

it("a batch over syslog was taken when the server closes after its end, and not when it cuts the connection", async () => {
  let cuts = true;
  let got = "";
  const server = createServer((socket) => {
    if (cuts) socket.once("data", () => socket.resetAndDestroy());
    else
      socket.on("data", (data) => {
        got += data;
      });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  const target = forwardTarget(`syslog+tcp://127.0.0.1:${port}`);
  if (target === undefined) throw new Error("no target");
  const send = openSend(target, { cluster: "c1", machine: "m1" });
  const batch = [{ ...line(1, "one"), origin, nth: 1 }];
  const { signal } = new AbortController();
  await expect(send(batch, signal)).rejects.toThrow();
  cuts = false;
  expect(await send(batch, signal)).toBe("taken");
  expect(got).toContain("one");
  server.close();
});

describe("the shipper", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "ployz-shipping-"));
  });
  afterEach(() => rm(dir, { recursive: true }));

  /** An instance that writes a line for each call, and is removed by `end`. */
  function instance() {
    const lines: LogLine[] = [];
    let removed = false;
    let wake = () => {};
    const write = (text: string) => {
      lines.push({
        time: new Date(Date.now() + 1_000 * lines.length).toISOString(),
        stream: "stdout",
        line: text,
      });
      wake();
    };
    const runtime = {
      list: async () => [{ id: origin.instance, labels: origin }] as never,
      inspect: async () =>
        ({ id: origin.instance, labels: origin, state: removed ? "absent" : "running" }) as never,
      async *logs(_id: string, { signal }: LogOptions = {}) {
        for (let at = 0; signal?.aborted !== true && !removed; ) {
          const next = lines[at];
          if (next !== undefined) at++;
          if (next !== undefined) yield next;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
              signal?.addEventListener("abort", () => resolve(), { once: true });
            });
        }
      },
    };
    const kept = { read: () => of(lines) };
    const end = () => {
      removed = true;
      wake();
    };
    return { write, end, runtime, kept };
  }
  const run = async (
    { runtime, kept }: Pick<ReturnType<typeof instance>, "runtime" | "kept">,
    send: Send,
  ) => {
    const stop = new AbortController();
    const shipper = await openShipper({
      ...{ to: "otlp+http://c:80", send, path: join(dir, "shipped.json"), runtime, kept },
      ...{ signal: stop.signal, now: Date.now, log() {} },
    });
    const close = () => {
      stop.abort();
      return shipper.ended;
    };
    return { shipper, close };
  };
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i));

  it("sends each line once and in order, over failures, a restart and the removal of its instance", async () => {
    const got: string[] = [];
    let fails = 2;
    const send: Send = async (lines) => {
      if (fails-- > 0) throw new Error("away");
      got.push(...lines.map(({ line: text }) => text));
      return "taken";
    };
    const one = instance();
    const first = await run(one, send);
    for (const text of numbers(0, 1_500)) one.write(text);
    await expect.poll(() => got.length, { timeout: 20_000 }).toBe(1_500);
    await first.close();
    for (const text of numbers(1_500, 1_600)) one.write(text);
    const second = await run(one, send);
    await expect.poll(() => got.length, { timeout: 20_000 }).toBe(1_600);
    fails = 1;
    one.write("1600");
    one.end();
    await expect.poll(() => got.length, { timeout: 20_000 }).toBe(1_601);
    expect(got).toEqual(numbers(0, 1_601));
    const cursors = async () => JSON.parse(await readFile(join(dir, "shipped.json"), "utf8")).cursors;
    await expect.poll(cursors, { timeout: 5_000 }).toEqual([]);
    expect(second.shipper.state()).toEqual({ state: "ok", to: "otlp+http://c:80", refused: 0 });
    await second.close();
  }, 60_000);

  it("sends a batch that is too large for the server in parts, and leaves out the line that is too large by itself", async () => {
    const got: string[] = [];
    const send: Send = async (lines) => {
      if (lines.length > 100 || lines.some(({ line: text }) => text === "7"))
        return { refused: "HTTP 413", tooLarge: true };
      got.push(...lines.map(({ line: text }) => text));
      return "taken";
    };
    const one = instance();
    const { shipper, close } = await run(one, send);
    for (const text of numbers(0, 1_000)) one.write(text);
    await expect.poll(() => got.length, { timeout: 20_000 }).toBe(999);
    expect(got).toEqual(numbers(0, 1_000).filter((text) => text !== "7"));
    expect(shipper.state().refused).toBe(1);
    await close();
  }, 30_000);

  it("holds no more than its bounds while the server is away, and says so", async () => {
    const one = instance();
    let read = 0;
    const { logs } = one.runtime;
    async function* counted(...args: Parameters<typeof logs>) {
      for await (const next of logs(...args)) {
        read++;
        yield next;
      }
    }
    const away: Send = async () => {
      throw new Error("away");
    };
    const { shipper, close } = await run({ ...one, runtime: { ...one.runtime, logs: counted } }, away);
    for (const text of numbers(0, 5_000)) one.write(text);
    await expect.poll(() => shipper.state().error, { timeout: 10_000 }).toBe("away");
    await expect.poll(() => read, { timeout: 10_000 }).toBeGreaterThan(1_000);
    expect(read).toBeLessThanOrEqual(2_001);
    await close();
  }, 30_000);
});
