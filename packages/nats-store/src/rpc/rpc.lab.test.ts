import { PloyzError } from "@ployz/errors";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Rig, startRig } from "../../test/rig.ts";
import type { Json } from "../json.ts";
import { openSession } from "../session.ts";
import { openRpc } from "./call.ts";
import { type Handlers, serve } from "./serve.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig(["m2", "m3", "m4"]);
});
afterAll(() => rig.cleanup());

function deferred() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

async function pair(handlers: Handlers) {
  const [from, to] = [openSession(rig.options("m2")), openSession(rig.options("m3"))];
  const served = serve(to, handlers);
  await served.ready();
  return {
    from,
    to,
    rpc: openRpc(from, { aliveMs: 100 }),
    async close() {
      served.close();
      await Promise.all([from.close(), to.close()]);
    },
  };
}

describe("call", () => {
  it("answers, carries fence and operation, and brings a handler's error across", async () => {
    const fence = { scope: "deploy.prod", generation: 1, revision: 7 };
    const { rpc, close } = await pair({
      calls: {
        "machine.echo": async (args, { meta }) => ({ args, meta: meta as unknown as Json }),
        "machine.fail": async () => {
          throw new PloyzError({ code: "fenced", message: "no", hint: "yes", details: { seen: 9 } });
        },
        "machine.bug": async () => {
          throw new Error("oops");
        },
      },
    });
    expect(
      await rpc.call("m3", "machine.echo", { a: 1 }, { timeoutMs: 2000, fence, operation: "op1" }),
    ).toEqual({
      args: { a: 1 },
      meta: { caller: "m2", operation: "op1", fence },
    });
    await expect(rpc.call("m3", "machine.fail", null, { timeoutMs: 2000 })).rejects.toMatchObject({
      code: "fenced",
      message: "no",
      hint: "yes",
      details: { machine: "m3", seen: 9 },
    });
    await expect(rpc.call("m3", "machine.bug", null, { timeoutMs: 2000 })).rejects.toMatchObject({
      code: "internal",
    });
    await expect(rpc.call("m3", "machine.none", null, { timeoutMs: 2000 })).rejects.toMatchObject({
      code: "command_unknown",
    });
    await close();
  });

  it("fails fast when no daemon answers there", async () => {
    const { rpc, from, close } = await pair({});
    await from.link();
    const asked = performance.now();
    await expect(rpc.call("m4", "machine.echo", null, { timeoutMs: 30_000 })).rejects.toMatchObject({
      code: "machine_unreachable",
    });
    expect(performance.now() - asked).toBeLessThan(500);
    await close();
  });

  it("stops the handler at the deadline, at the idle limit and when the caller aborts", async () => {
    const aborted: string[] = [];
    const { rpc, close } = await pair({
      calls: {
        "machine.hang": (_, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => {
              aborted.push((signal.reason as PloyzError).code);
              reject(signal.reason);
            });
          }),
        "machine.slow": async (_, { progress, signal }) => {
          for (let step = 0; step < 6; step += 1) {
            await new Promise((resolve) => setTimeout(resolve, 60));
            signal.throwIfAborted();
            progress({ step });
          }
          return "done";
        },
      },
    });
    const hang = (options: object) => rpc.call("m3", "machine.hang", null, { timeoutMs: 5000, ...options });
    await expect(hang({ timeoutMs: 150 })).rejects.toMatchObject({ code: "deadline_exceeded" });
    await expect(hang({ idleTimeoutMs: 150 })).rejects.toMatchObject({ code: "deadline_exceeded" });
    await expect(hang({ signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ name: "TimeoutError" });
    const steps: Json[] = [];
    const result = await rpc.call("m3", "machine.slow", null, {
      timeoutMs: 5000,
      idleTimeoutMs: 200,
      onProgress: (value) => steps.push(value),
    });
    expect(result).toBe("done");
    expect(steps).toHaveLength(6);
    expect(aborted).toHaveLength(3);
    await close();
  });

  it("waits for a machine that is slow, and not for one that is silent", async () => {
    const began = deferred();
    const { rpc, to, close } = await pair({
      calls: {
        "machine.slow": async () => {
          began.resolve();
          await new Promise((resolve) => setTimeout(resolve, 900));
          return "done";
        },
      },
    });
    const slow = () => rpc.call("m3", "machine.slow", null, { timeoutMs: 10_000, silentTimeoutMs: 300 });
    expect(await slow()).toBe("done");
    const { nc } = await to.link();
    const asked = slow();
    await began.promise;
    await nc.flush();
    vi.spyOn(nc, "publish").mockImplementation(() => {}); // nothing that it says arrives any more
    await expect(asked).rejects.toMatchObject({ code: "machine_unreachable" });
    vi.restoreAllMocks();
    await close();
  });

  it("aborts the handler when its caller dies, and tells the caller when the callee does", async () => {
    const started = deferred();
    const stopped = deferred();
    const hang: Handlers = {
      calls: {
        "machine.hang": (_, { signal }) =>
          new Promise((_resolve, reject) => {
            started.resolve();
            signal.addEventListener("abort", () => {
              stopped.resolve();
              reject(signal.reason);
            });
          }),
      },
    };
    const one = await pair(hang);
    const lost = one.rpc.call("m3", "machine.hang", null, { timeoutMs: 60_000 });
    lost.catch(() => undefined);
    await started.promise;
    await one.from.close();
    await stopped.promise;
    await one.close();

    const two = await pair(hang);
    const cut = two.rpc.call("m3", "machine.hang", null, { timeoutMs: 60_000 });
    const failed = expect(cut).rejects.toMatchObject({ code: "machine_unreachable" });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await two.to.close();
    await failed;
    await two.close();
  });

  it("says so when the callee's daemon is restarted while it runs the call", async () => {
    const { rpc, to, close } = await pair({ calls: { "machine.hang": () => new Promise(() => undefined) } });
    const cut = rpc.call("m3", "machine.hang", null, { timeoutMs: 60_000 });
    const failed = expect(cut).rejects.toMatchObject({ code: "call_interrupted" });
    await new Promise((resolve) => setTimeout(resolve, 80));
    const again = openSession(rig.options("m3"));
    await Promise.all([to.close(), serve(again, {}).ready()]);
    await failed;
    await again.close();
    await close();
  });

  it("refuses a request that is too large, and takes one of several megabytes", async () => {
    const { rpc, close } = await pair({
      calls: {
        "machine.echo": async (args) => args,
        "machine.big": async () => "x".repeat(9 << 20),
      },
    });
    const big = "x".repeat(4 << 20);
    expect(await rpc.call("m3", "machine.echo", big, { timeoutMs: 10_000 })).toBe(big);
    const large = { code: "payload_too_large" };
    await expect(
      rpc.call("m3", "machine.echo", "x".repeat(9 << 20), { timeoutMs: 5000 }),
    ).rejects.toMatchObject(large);
    await expect(rpc.call("m3", "machine.big", null, { timeoutMs: 5000 })).rejects.toMatchObject(large);
    await close();
  });

  it("brings the answer of a long call across a restart of the store server", async () => {
    let runs = 0;
    const go = deferred();
    const { rpc, to, close } = await pair({
      calls: {
        "machine.long": async () => {
          runs += 1;
          await go.promise;
          return "survived";
        },
      },
    });
    const answer = rpc.call("m3", "machine.long", null, { timeoutMs: 30_000 });
    await new Promise((resolve) => setTimeout(resolve, 150));
    await rig.kill();
    go.resolve();
    await rig.start();
    await to.link();
    expect(await answer).toBe("survived");
    expect(runs).toBe(1);
    await close();
  });
});

describe("callStream", () => {
  it("yields all items in order, never far ahead of its reader, and ends", async () => {
    let produced = 0;
    const { rpc, close } = await pair({
      streams: {
        async *"machine.count"(args) {
          for (let n = 1; n <= Number(args); n += 1) {
            produced = n;
            yield n;
          }
        },
      },
    });
    const seen: Json[] = [];
    let ahead = 0;
    for await (const item of rpc.callStream("m3", "machine.count", 500, { window: 16 })) {
      seen.push(item);
      if (seen.length % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      ahead = Math.max(ahead, produced - seen.length);
    }
    expect(seen).toEqual(Array.from({ length: 500 }, (_, at) => at + 1));
    expect(ahead).toBeLessThanOrEqual(18);
    await close();
  });

  it("stops the producer when the reader leaves, aborts or dies, and passes on its error", async () => {
    const stops: string[] = [];
    const wake: { stop?: () => void } = {};
    const { rpc, from, close } = await pair({
      streams: {
        async *"log.follow"(name, { signal }) {
          try {
            yield "line";
            if (name === "fail") throw new PloyzError({ code: "log_gone", message: "gone" });
            await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          } finally {
            stops.push(name as string);
            wake.stop?.();
          }
        },
      },
    });
    const stopped = () =>
      new Promise<void>((resolve) => {
        wake.stop = resolve;
      });
    const read = async (name: string, signal?: AbortSignal) => {
      for await (const _ of rpc.callStream("m3", "log.follow", name, signal ? { signal } : {})) {
        if (name === "leave") break;
      }
    };
    await expect(read("fail")).rejects.toMatchObject({ code: "log_gone" });
    let ended = stopped();
    await read("leave");
    await ended;
    ended = stopped();
    await expect(read("abort", AbortSignal.timeout(100))).rejects.toThrow();
    await ended;
    ended = stopped();
    read("die").catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await from.close();
    await ended;
    expect(stops).toEqual(["fail", "leave", "abort", "die"]);
    await close();
  });
});
