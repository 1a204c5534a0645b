import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair, PassThrough, Writable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { openClient } from "@ployz/primitives/client";
import { FRAME, openChannel, type StreamAsk } from "@ployz/primitives/protocol";
import type { Attached } from "@ployz/runtime";
import { afterEach, beforeEach, expect, it } from "vitest";
import { onUpgrade } from "../transfer/upgrade.ts";
import { localStreams, openStreams, type StreamDeps, type Streams } from "./open.ts";
import { relay } from "./relay.ts";
import { serveProgram } from "./serve.ts";

let dir: string;
let close: (() => void)[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployzd-streams-"));
});
afterEach(async () => {
  for (const each of close) each();
  close = [];
  await rm(dir, { recursive: true, force: true });
});

interface Program extends Attached {
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  readonly events: string[];
  exit(code: number): void;
}

function program(): Program {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const events: string[] = [];
  let exit: (code: number) => void = () => {};
  const done = new Promise<{ exitCode: number }>((resolve) => {
    exit = (exitCode) => resolve({ exitCode });
  });
  return {
    ...{ stdin, stdout, stderr, events, done, exit, pid: undefined },
    resize: async ({ columns, rows }) => void events.push(`${columns}x${rows}`),
    signal: async (name) => void events.push(name),
    kill: async () => {
      events.push("killed");
      exit(137);
    },
  };
}

const ask: StreamAsk = { kind: "exec", namespace: "prod", service: "web", argv: ["x"], by: "me@here" };

/** A daemon that serves `running` to whoever asks; `through` another daemon. */
async function opened(running: Program, { through = false } = {}) {
  const path = join(dir, "d.sock");
  const serve = async (socket: Duplex) => {
    const near = openChannel(socket);
    await near.frames.next();
    await near.send(FRAME.opened, JSON.stringify({ machine: "m1", instance: "i", slot: 1, of: 1 }));
    if (!through) return serveProgram(near, running);
    const [here, there] = duplexPair();
    here.once("close", () => there.destroy());
    void serveProgram(openChannel(there), running);
    return relay(near, openChannel(here), "m2");
  };
  const server = createServer();
  const breakAll = onUpgrade(server, () => (socket) => void serve(socket));
  server.listen(path);
  await once(server, "listening");
  close.push(() => server.close(), breakAll);
  return { stream: await openClient({ socketPath: path }).open(ask), breakAll };
}

it.each([{ through: false }, { through: true }])(
  "bytes, ends, signals and the exit code arrive: %o",
  async (how) => {
    const running = program();
    const { stream } = await opened(running, how);
    const [output, errors] = [new PassThrough(), new PassThrough()];
    const code = stream.pump({ output, errors });
    const came = Promise.all([buffer(output), text(errors)]);
    const sent = Buffer.alloc(300_000, "\0\xff\n");
    stream.input.end(sent);
    stream.resize({ columns: 100, rows: 30 });
    stream.signal("SIGINT");
    expect((await buffer(running.stdin)).equals(sent)).toBe(true);
    running.stdout.end(sent);
    running.stderr.end("oops");
    running.exit(42);
    expect(await code).toBe(42);
    output.end();
    errors.end();
    const [bytes, said] = await came;
    expect([bytes.equals(sent), said]).toEqual([true, "oops"]);
    expect(running.events).toEqual(["100x30", "SIGINT"]);
  },
);

it("input that the program does not read is held back at 1 MiB, and a signal overtakes it", async () => {
  const running = program();
  const { stream } = await opened(running);
  void stream.pump({ output: new PassThrough(), errors: new PassThrough() }).catch(() => {});
  let taken = 0;
  const feed = async () => {
    for (; taken < 64; taken++)
      await new Promise<void>((resolve) => void stream.input.write(Buffer.alloc(65_536), () => resolve()));
  };
  void feed();
  await expect.poll(() => taken).toBeGreaterThanOrEqual(16);
  stream.signal("SIGTERM");
  await expect.poll(() => running.events).toEqual(["SIGTERM"]);
  expect(taken).toBeLessThanOrEqual(18);
  running.stdin.resume();
  await expect.poll(() => taken).toBe(64);
  stream.close();
});

it("output that the caller does not read is held back", async () => {
  const running = program();
  const { stream } = await opened(running);
  const stuck = new Writable({ highWaterMark: 1024, write: () => {} });
  void stream.pump({ output: stuck, errors: stuck }).catch(() => {});
  let written = 0;
  const produce = async () => {
    for (; written < 1000; written++)
      if (!running.stdout.write(Buffer.alloc(65_536))) await once(running.stdout, "drain");
  };
  void produce().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(written).toBeLessThan(100);
  stream.close();
});

it.each([{ through: false }, { through: true }])(
  "a caller that goes away kills the program: %o",
  async (how) => {
    const running = program();
    const { stream } = await opened(running, how);
    stream.close();
    await expect.poll(() => running.events).toEqual(["killed"]);
  },
);

it("a terminal that cannot be resized, or a signal that cannot be sent, ends nothing", async () => {
  const running = program();
  const failing = async () => Promise.reject(new Error("stty: fork failed"));
  const { stream } = await opened({ ...running, resize: failing, signal: failing });
  const code = stream.pump({ output: new PassThrough(), errors: new PassThrough() });
  stream.resize({ columns: 100, rows: 30 });
  stream.signal("SIGINT");
  stream.input.end("still there");
  expect(await text(running.stdin)).toBe("still there");
  running.exit(0);
  expect(await code).toBe(0);
  expect(running.events).toEqual([]);
});

/** Two instances of one service on this machine; `attach` starts the program. */
function streamsOf(attach: StreamDeps["runtime"]["attach"], note: StreamDeps["leftovers"]["note"]) {
  const instances = [1, 2].map((slot) => ({ id: `w${slot}`, service: "web", slot, machine: "m1" }));
  const head = { namespace: "prod", services: { web: {} }, jobs: {}, instances };
  const deps: Partial<Record<keyof StreamDeps, unknown>> = {
    ...{ self: "m1", heads: () => [head], log: () => {}, leftovers: { note, tidy: async () => {} } },
    runtime: { attach, inspect: async () => ({ state: "running", address: "10.0.0.1" }) },
    store: { journals: { append: async () => {}, putSummary: async () => {} } },
  };
  return openStreams(deps as StreamDeps);
}
/** The kinds of the frames that the caller of a stream gets that fails. */
async function kindsOf(streams: Streams) {
  const [here, there] = duplexPair();
  here.once("close", () => there.destroy());
  const caller = openChannel(here);
  const failed = new Promise((resolve) => localStreams(() => streams, resolve)(there));
  await caller.send(FRAME.ask, JSON.stringify(ask));
  const kinds = [];
  for await (const { kind } of caller.frames) if (kind !== FRAME.ping) kinds.push(kind);
  await failed;
  return kinds;
}

it("a program that was run once is not run again in the next instance, whatever fails after it", async () => {
  const ran: string[] = [];
  const streams = streamsOf(
    async (id) => {
      ran.push(id);
      const running = program();
      running.exit(0);
      return running;
    },
    async () => () => Promise.reject(new Error("EIO")),
  );
  const kinds = await kindsOf(streams);
  expect(ran).toEqual(["w1"]);
  expect(kinds.filter((kind) => kind === FRAME.opened)).toHaveLength(1);
});

it("a program that cannot be noted on disk is killed", async () => {
  const running = program();
  const streams = streamsOf(
    async () => running,
    () => Promise.reject(new Error("ENOSPC")),
  );
  expect(await kindsOf(streams)).toEqual([FRAME.opened, FRAME.error]);
  expect(running.events).toEqual(["killed"]);
});

it("a daemon that goes away is an error to the caller, and kills the program", async () => {
  const running = program();
  const { stream, breakAll } = await opened(running);
  const code = stream.pump({ output: new PassThrough(), errors: new PassThrough() });
  breakAll();
  await expect(code).rejects.toMatchObject({ code: "stream_lost" });
  await expect.poll(() => running.events).toEqual(["killed"]);
});

it("output that comes after the exit is not lost, and an output left open by a child holds nothing up", async () => {
  const running = program();
  const { stream } = await opened(running);
  const output = new PassThrough();
  const code = stream.pump({ output, errors: new PassThrough() });
  running.exit(0);
  running.stdout.write("late");
  expect(await code).toBe(0);
  output.end();
  expect(await text(output)).toBe("late");
});
