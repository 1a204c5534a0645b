import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcp } from "node:net";
import { errorBody, PloyzError } from "@ployz/errors";
import type { AuditEntry } from "@ployz/primitives/client";
import type { Commands } from "@ployz/primitives/protocol";
import type { InstanceStatus, Runtime } from "@ployz/runtime";
import { afterEach, describe, expect, it } from "vitest";
import { audited, type Handlers, handle, refusingNew } from "./handlers.ts";
import { awaitReady } from "./readiness.ts";

/** Every command, and whether it changes the machine. A new command does not compile until it is named here. */
const CHANGES: Readonly<Record<keyof Commands, boolean>> = {
  "machine.observe": false,
  "operation.abort": false,
  "operation.running": false,
  "image.resolve": false,
  "image.list": false,
  "image.inspect": false,
  "image.usage": false,
  "image.prune": true,
  "image.remove": true,
  "bundle.resolve": false,
  "instance.logs": false,
  "volume.snapshots": false,
  "volume.expired": false,
  "transfer.offer": false,
  "instance.ready": false,
  "instance.wait": false,
  "publish.await": false,
  "membership.await": false,
  "membership.handshake": false,
  "machine.rtt": false,
  "network.policy": false,
  "gateway.show": false,
  "certificate.challenge": false,
  "certificate.order": true,
  "certificate.forget": true,
  "certificate.serve": true,
  "certificate.ensure": true,
  "image.ensure": true,
  "bundle.ensure": true,
  "instance.reserve": true,
  "instance.release": true,
  "instance.secrets": true,
  "instance.start": true,
  "instance.stop": true,
  "instance.resume": true,
  "instance.retire": true,
  "instance.remove": true,
  "volume.ensure": true,
  "volume.snapshot": true,
  "volume.unsnapshot": true,
  "volume.clone": true,
  "volume.seal": true,
  "volume.unseal": true,
  "volume.pull": true,
  "volume.admit": true,
  "volume.discard": true,
  "volume.retire": true,
  "volume.prune": true,
  "volume.follow": true,
  "volume.giveback": true,
  "volume.standdown": true,
  "volume.takeover": true,
  "volume.unfollow": true,
  "gateway.hold": true,
  "backup.look": false,
  "backup.list": false,
  "backup.read": false,
  "backup.open": true,
  "backup.take": true,
  "backup.store": true,
  "backup.forget": true,
  "backup.hook": true,
  "backup.drop": true,
  "backup.restore": true,
  "backup.compare": true,
  "backup.check": false,
  "machine.leave": true,
  "update.look": false,
  "update.await": false,
  "payload.ensure": true,
  "payload.remove": true,
  "update.switch": true,
};

const code = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: unknown) => errorBody(error).code,
  );
const context = { signal: new AbortController().signal, progress: () => {} };

describe("a command over the wire", () => {
  const ran: string[] = [];
  const handlers = Object.fromEntries(
    Object.keys(CHANGES).map((name) => [name, async () => void ran.push(name)]),
  ) as unknown as Handlers;
  const fences = {
    async check({ revision }: { revision: number }) {
      if (revision < 5) throw new PloyzError({ code: "fenced", message: "old" });
    },
  };
  const send = (name: string, revision?: number) => {
    const fence = revision === undefined ? undefined : { scope: "s", generation: 1, revision };
    return code(handle(handlers, fences, name, {}, fence, context));
  };

  it.each(Object.entries(CHANGES))("%s: changes the machine: %s", async (name, changes) => {
    ran.length = 0;
    expect(await send(name)).toBe(changes ? "fence_missing" : "done");
    expect(await send(name, 4)).toBe(changes ? "fenced" : "done");
    expect(ran.length).toBe(changes ? 0 : 2);
    expect(await send(name, 5)).toBe("done");
  });

  it.each(["machine.reboot", "__proto__", "constructor", "toString", ""])("%j is not known", async (name) => {
    expect(await send(name, 9)).toBe("no_such_command");
  });
});

describe("a machine that takes nothing new", () => {
  const none = { signal: new AbortController().signal, progress: () => {} };
  const all = Object.fromEntries(
    Object.keys(CHANGES).map((name) => [name, async () => ({})]),
  ) as unknown as Handlers;
  const volume = {
    id: "v",
    namespace: "prod",
    name: "v",
    operation: "o",
    spec: { scope: "single" as const },
  };

  it.each(["draining", "standby", "removed"] as const)(
    "refuses it when its record says %s",
    async (state) => {
      const guarded = refusingNew(all, () => state);
      const refused = { code: "machine_draining" };
      await expect(guarded["instance.reserve"]({ id: "i" }, none)).rejects.toMatchObject(refused);
      await expect(guarded["volume.ensure"]({ ...volume, create: true }, none)).rejects.toMatchObject(
        refused,
      );
      // Existing instances keep running, and removals are accepted.
      await guarded["volume.ensure"]({ ...volume, create: false }, none);
      await guarded["instance.resume"]({ id: "i" }, none);
      await guarded["instance.retire"]({ id: "i", drainMs: 0, graceMs: 0 }, none);
    },
  );

  it.each(["active", "joining"] as const)("takes it when its record says %s", async (state) => {
    await refusingNew(all, () => state)["instance.reserve"]({ id: "i" }, none);
  });
});

describe("readiness", () => {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });
  const running: InstanceStatus = {
    id: "i",
    identity: "x",
    state: "running",
    labels: {},
    restarts: 0,
    pid: 7,
    startedAt: "2026-01-01T00:00:00Z",
  };
  const runtimeThat = (inspect: () => Partial<InstanceStatus>): Runtime =>
    ({
      inspect: async () => ({ ...running, ...inspect() }),
      async *logs() {
        yield { time: "", stream: "stderr", line: "cannot bind" };
      },
    }) as unknown as Runtime;
  async function http(answer: () => number) {
    const server = createServer((_, response) => void response.writeHead(answer()).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }
  const args = (ready: object, port: number) =>
    ({ id: "i", address: "127.0.0.1", ports: { http: port }, ready }) as Commands["instance.ready"]["args"];
  const up = runtimeThat(() => ({}));

  it("of HTTP is an answer below 400, once it comes", async () => {
    let n = 0;
    const port = await http(() => (++n < 3 ? 503 : 204));
    const ready = { kind: "http", port: "http", path: "/", timeoutMs: 5_000 };
    expect((await awaitReady(up, args(ready, port), context.signal)).readyMs).toBeGreaterThanOrEqual(0);
    expect(n).toBe(3);
  });

  it("that never comes says the last answer, and shows the last log lines", async () => {
    const port = await http(() => 500);
    const ready = { kind: "http", port: "http", path: "/up", timeoutMs: 600 };
    await expect(awaitReady(up, args(ready, port), context.signal)).rejects.toMatchObject({
      code: "not_ready",
      message: expect.stringContaining("GET /up answered 500"),
      details: { logs: ["cannot bind"] },
    });
  });

  it("of TCP is a connection", async () => {
    const server = createTcp((socket) => void socket.on("error", () => {}).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const ready = { kind: "tcp", port: "http", timeoutMs: 300 };
    await awaitReady(up, args(ready, port), context.signal);
    await new Promise((resolve) => server.close(resolve));
    expect(await code(awaitReady(up, args(ready, port), context.signal))).toBe("not_ready");
  });

  it.each([
    ["its program ended", { state: "exited", exitCode: 7 }],
    ["it was restarted", { restarts: 1 }],
    ["the supervisor waits before it restarts it", { exitCode: 1, pid: undefined }],
    ["it runs again, whatever is counted", { startedAt: "2026-01-01T00:00:01Z" }],
    ["it has an exit code, whatever is counted", { exitCode: 0 }],
  ] as const)("fails at once when %s", async (_, seen) => {
    const port = await http(() => 503);
    for (const ready of [
      { kind: "running", settleMs: 10_000, timeoutMs: 60_000 },
      { kind: "http", port: "http", path: "/", timeoutMs: 60_000 },
    ]) {
      let n = 0;
      const crashing = runtimeThat(() => (++n > 2 ? seen : {}) as Partial<InstanceStatus>);
      await expect(awaitReady(crashing, args(ready, port), context.signal)).rejects.toMatchObject({
        code: "instance_exited",
        message: expect.stringMatching("exitCode" in seen ? `exit code ${seen.exitCode}` : "ended"),
        details: { logs: ["cannot bind"] },
      });
    }
  });

  it("does not count an answer while no program of it is seen, nor the time before", async () => {
    const port = await http(() => 204);
    const away = { pid: undefined, startedAt: undefined };
    let n = 0;
    const late = runtimeThat(() => (++n < 4 ? away : {}) as Partial<InstanceStatus>);
    await awaitReady(
      late,
      args({ kind: "http", port: "http", path: "/", timeoutMs: 5_000 }, port),
      context.signal,
    );
    expect(n).toBeGreaterThanOrEqual(4);
    const begun = performance.now();
    const last = runtimeThat(() => (performance.now() - begun < 150 ? away : {}) as Partial<InstanceStatus>);
    const ready = { kind: "running", settleMs: 100, timeoutMs: 5_000 };
    expect((await awaitReady(last, args(ready, 1), context.signal)).readyMs).toBeGreaterThanOrEqual(250);
  });

  it("is given up with the caller", async () => {
    const gone = new AbortController();
    const ready = { kind: "running", settleMs: 10_000, timeoutMs: 60_000 };
    const waiting = awaitReady(up, args(ready, 1), gone.signal);
    gone.abort();
    await expect(waiting).rejects.toThrow();
  });
});

it("each changing call is logged with its caller, operation, object and outcome; reads are not", async () => {
  const entries: AuditEntry[] = [];
  const all = Object.fromEntries(
    Object.keys(CHANGES).map((name) => [
      name,
      async () => {
        if (name === "instance.release") throw new PloyzError({ code: "fenced", message: "old" });
      },
    ]),
  ) as unknown as Handlers;
  const logged = audited(all, { write: (entry) => entries.push(entry) });
  const from = { signal: new AbortController().signal, progress: () => {}, caller: "m2", operation: "01J" };
  for (const name of Object.keys(CHANGES))
    await code(logged[name as keyof Handlers]({ id: "prod.web.0" } as never, from));
  expect(entries.map(({ command }) => command).sort()).toEqual(
    Object.entries(CHANGES)
      .flatMap(([name, changes]) => (changes ? [name] : []))
      .sort(),
  );
  expect(entries.find(({ command }) => command === "instance.reserve")).toMatchObject({
    ...{ caller: "m2", operation: "01J", object: "prod.web.0", outcome: "done" },
  });
  expect(entries.find(({ command }) => command === "instance.release")?.outcome).toBe("fenced");
});
