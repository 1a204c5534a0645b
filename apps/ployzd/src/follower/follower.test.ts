import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Commit, MachineRecord } from "@ployz/primitives/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askFollower, askRestarting } from "../host/follower-client.ts";
import { serveApplied, trackApplied } from "../host/follower-socket.ts";
import { gatewayHandlers } from "../participant/gateway.ts";
import { zoneOf } from "./dns.ts";
import { buildTable, type Head, routesOf, tableVersion, udpRoutesOf } from "./project.ts";

function head(namespace: string, revision: number, host: string, ready?: object): Head {
  const service = { spec: { ready: ready ?? { kind: "tcp", port: "http" } } };
  const commit = {
    ...{ namespace, operation: `01${namespace}`, services: { web: service, idle: service } },
    instances: [
      {
        id: `${namespace}.web.0.aaaaaaaa`,
        service: "web",
        slot: 0,
        address: "10.101.1.2",
        ports: { http: 8080 },
      },
      { id: `${namespace}.web.1.aaaaaaaa`, service: "web", slot: 1, address: "10.101.2.2", ports: {} },
    ],
    routes: [{ kind: "http", host, path: "/", service: "web", port: "http" }],
  };
  return { revision, commit: commit as unknown as Commit };
}

describe("routes of the commits", () => {
  it("hold the instances that have the port, and what readiness checked", () => {
    const ready = { kind: "http", port: "http", path: "/up" };
    const [found] = routesOf([head("prod", 3, "www.example.test", ready)]);
    expect(found?.route).toMatchObject({
      host: "www.example.test",
      backend: {
        id: "prod/web/http",
        check: { kind: "http", path: "/up" },
        servers: [{ id: "prod.web.0.aaaaaaaa", address: "10.101.1.2", port: 8080 }],
      },
    });
    const other = routesOf([head("prod", 3, "www.example.test", { ...ready, port: "admin" })]);
    expect(other[0]?.route).toMatchObject({ backend: { check: { kind: "tcp" } } });
  });

  it("of UDP ports are not HAProxy's, and of two with one port the older commit keeps it", () => {
    const named = (namespace: string, revision: number) => {
      const { commit } = head(namespace, revision, "www.example.test");
      return {
        revision,
        commit: {
          ...commit,
          routes: [{ kind: "udp" as const, listen: 53, service: "web", port: "http" }],
        },
      };
    };
    const heads = [named("late", 9), named("early", 4)];
    expect(routesOf(heads)).toEqual([]);
    const { routes, dropped } = udpRoutesOf(heads);
    expect(routes).toMatchObject([
      {
        listen: 53,
        backend: { id: "early/web/http", servers: [{ address: "10.101.1.2", port: 8080 }] },
      },
    ]);
    expect(dropped).toEqual([expect.stringMatching(/^late\/web\//)]);
  });

  it("of a service with a canary lead to both, by weights, and ask both what both answer", () => {
    const ready = { kind: "http", port: "http", path: "/up" };
    const withCanary = (canaryReady: object) => {
      const { commit } = head("prod", 3, "www.example.test", ready);
      const canary = { of: "web", share: 10, placement: { kind: "every-machine" }, routes: [] };
      const [first] = commit.instances;
      return routesOf([
        {
          revision: 3,
          commit: {
            ...commit,
            services: { ...commit.services, "web-canary": { spec: { ready: canaryReady }, canary } },
            instances: [
              ...commit.instances,
              { ...first, id: "prod.web-canary.1.b", service: "web-canary", address: "10.101.1.9" },
            ],
          } as unknown as Commit,
        },
      ])[0]?.route;
    };
    const shared = [
      { id: "prod.web.0.aaaaaaaa", address: "10.101.1.2", port: 8080, weight: 9 },
      { id: "prod.web-canary.1.b", address: "10.101.1.9", port: 8080, weight: 1 },
    ];
    expect(withCanary(ready)).toMatchObject({
      backend: { id: "prod/web/http", check: { kind: "http", path: "/up" }, servers: shared },
    });
    expect(withCanary({ ...ready, path: "/other" })).toMatchObject({
      backend: { check: { kind: "tcp" }, servers: shared },
    });
  });

  it("a clash keeps the older commit's route, and all others", () => {
    const heads = [head("a", 9, "one.test"), head("b", 4, "one.test"), head("c", 7, "two.test")];
    const { table, dropped } = buildTable(heads);
    expect(table.routes.map(({ id }) => id.split("/")[0]).sort()).toEqual(["b", "c"]);
    expect(dropped).toEqual([expect.stringContaining("a/web/")]);
    expect(table.version).toBe(tableVersion(heads));
    expect(buildTable([])).toEqual({ table: { version: "", routes: [] }, dropped: [] });
  });

  it("a clash costs no second look at the other routes", () => {
    const heads = Array.from({ length: 50 }, (_, at) =>
      head(`n${at}`, at, at < 2 ? "one.test" : `${at}.test`),
    );
    let looks = 0;
    for (const { commit } of heads)
      for (const instance of commit.instances)
        Object.defineProperty(instance, "address", {
          get: () => {
            looks += 1;
            return "10.101.1.2";
          },
        });
    expect(buildTable(heads).dropped).toHaveLength(1);
    expect(looks).toBe(heads.flatMap(({ commit }) => commit.instances).length);
  });
});

describe("the zone", () => {
  it("names every service, one without instances too, and the machines", () => {
    const machine = { id: "m1", address: "10.101.1.1" } as MachineRecord;
    const zone = zoneOf([head("prod", 1, "x.test")], [machine]);
    expect(zone.machines).toEqual([{ name: "m1", address: "10.101.1.1" }]);
    expect(zone.services.map(({ service, instances }) => [service, instances.length])).toEqual([
      ["web", 2],
      ["idle", 0],
    ]);
    expect(zone.services[0]?.instances[0]).toMatchObject({ slot: "0", address: "10.101.1.2" });
  });
});

describe("what a follower has applied", () => {
  let dir: string;
  const closing: (() => Promise<unknown>)[] = [];
  const never = new AbortController().signal;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "ployzd-follower-"));
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await rm(dir, { recursive: true, force: true });
  });
  async function serve() {
    const socket = join(dir, "f.sock");
    const applied = trackApplied();
    closing.push(await serveApplied(socket, applied, { status: () => ({ ok: true }) }));
    return { socket, applied };
  }

  it("is waited for", async () => {
    const { socket, applied } = await serve();
    applied.set(new Map([["prod", 4]]));
    const waiting = askFollower(socket, { namespace: "prod", revision: 6 }, never);
    expect(await askFollower(socket, undefined, never)).toEqual({
      applied: { prod: 4 },
      status: { ok: true },
    });
    applied.set(new Map([["prod", 5]]));
    applied.set(new Map([["prod", 7]]));
    expect(await waiting).toMatchObject({ applied: { prod: 7 } });
    expect(await askFollower(socket, { namespace: "prod", revision: 6 }, never)).toBeTruthy();
  });

  it("is answered only when no client uses earlier answers", async () => {
    const socket = join(dir, "f.sock");
    const applied = trackApplied();
    const until = performance.now() + 150;
    const staleMs = (namespace: string) =>
      namespace === "prod" ? Math.max(0, until - performance.now()) : 0;
    closing.push(await serveApplied(socket, applied, { status: () => ({}), staleMs }));
    applied.set(
      new Map([
        ["prod", 2],
        ["test", 2],
      ]),
    );
    await askFollower(socket, { namespace: "test", revision: 2 }, never);
    expect(performance.now()).toBeLessThan(until);
    await askFollower(socket, { namespace: "prod", revision: 2 }, never);
    expect(performance.now()).toBeGreaterThan(until - 5);
  });

  it("a wait that is given up ends, also one that was given up before it began", async () => {
    const { socket } = await serve();
    const gone = new AbortController();
    const waiting = askFollower(socket, { namespace: "prod", revision: 1 }, gone.signal);
    gone.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(trackApplied().reached("prod", 1, gone.signal)).rejects.toThrow("enough");
  });

  it.each(["/applied?namespace=prod", "/applied?namespace=prod&revision=x", "//"])(
    "a question that makes no sense is not answered with yes: %s",
    async (path) => {
      const { socket } = await serve();
      const status = await new Promise((resolve, reject) => {
        request({ socketPath: socket, path }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on("error", reject)
          .end();
      });
      expect(status).toBe(path === "//" ? 200 : 400);
    },
  );

  it("requests for a service are held where a gateway has a route to it, and nowhere else", async () => {
    const socket = join(dir, "f.sock");
    const asked: unknown[] = [];
    const hold = async (...args: unknown[]) => {
      asked.push(args);
      if (args[1] === "broken") throw new Error("no HAProxy");
      return args[1] === "web";
    };
    closing.push(await serveApplied(socket, trackApplied(), { status: () => ({}), hold }));
    const held = (service: string, at = socket, ms = 5000) =>
      gatewayHandlers(at)["gateway.hold"](
        { namespace: "prod", service, ms },
        { signal: never, progress: () => {} },
      );
    expect(await held("web")).toEqual({ held: true });
    expect(await held("idle")).toEqual({ held: false });
    expect(await held("broken")).toEqual({ held: false });
    expect(asked).toEqual(["web", "idle", "broken"].map((service) => ["prod", service, 5000]));
    expect(await held("web", socket, Number.NaN)).toEqual({ held: false });
    expect(await held("web", join(dir, "none.sock"))).toEqual({ held: false });
    const dns = join(dir, "dns.sock");
    closing.push(await serveApplied(dns, trackApplied(), { status: () => ({}) }));
    expect(await held("web", dns)).toEqual({ held: false });
    expect(asked).toHaveLength(3);
  });

  it("a follower that is away, or that talks nonsense, is an error and not the daemon's end", async () => {
    const code = { code: "follower_unreachable" };
    await expect(askFollower(join(dir, "none.sock"), undefined, never)).rejects.toMatchObject(code);
    const odd = createServer((_, response) => void response.end("{ not json"));
    const socket = join(dir, "odd.sock");
    await new Promise<void>((resolve) => odd.listen(socket, resolve));
    closing.push(() => new Promise((resolve) => odd.close(resolve)));
    await expect(askFollower(socket, undefined, never)).rejects.toMatchObject(code);
  });

  it("a follower that restarts is waited for, one that does not for a bounded time", async () => {
    const socket = join(dir, "late.sock");
    const commit = { namespace: "prod", revision: 3 };
    await expect(askRestarting(socket, commit, never, 50)).rejects.toMatchObject({
      code: "follower_unreachable",
    });
    const waiting = askRestarting(socket, commit, never, 60_000);
    const unrelated = createServer();
    await new Promise<void>((resolve) => unrelated.listen(join(dir, "other.sock"), resolve));
    closing.push(() => new Promise((resolve) => unrelated.close(resolve)));
    const applied = trackApplied();
    applied.set(new Map([["prod", 3]]));
    closing.push(await serveApplied(socket, applied, { status: () => ({ dropped: ["prod/a"] }) }));
    expect(await waiting).toMatchObject({ applied: { prod: 3 }, status: { dropped: ["prod/a"] } });
    const gone = AbortSignal.abort(new Error("no longer wanted"));
    await expect(askRestarting(join(dir, "none.sock"), commit, gone)).rejects.toThrow("no longer wanted");
  });
});
