import { afterAll, beforeAll, expect, it } from "vitest";
import { Events, type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

let daemon: FakeDaemon;
const row = (id: string, machine: string) => {
  const [namespace, service, slot] = id.split(".");
  return {
    id,
    namespace,
    service,
    slot: Number(slot),
    machine,
    address: "10.101.1.2",
    committed: true,
    state: "running",
  };
};
const sample = (second: number, web: number, db: number, other = 0) => ({
  type: "sample",
  at: `2026-01-01T00:00:${String(second).padStart(2, "0")}.000Z`,
  machines: [{ machine: "m1", load1: 0.5, memoryFreeBytes: 2 ** 30, diskFreeBytes: 2 ** 31 }],
  instances: [
    { id: "prod.web.1.a", memoryBytes: 10 * 2 ** 20, cpuNanos: web * 1e9 },
    { id: "prod.db.1.a", memoryBytes: 20 * 2 ** 20, cpuNanos: db * 1e9 },
    { id: "dev.web.1.a", memoryBytes: 5 * 2 ** 20, cpuNanos: other * 1e9 },
  ],
});
beforeAll(async () => {
  daemon = await fakeDaemon({
    "GET /v1/ps": () => ({
      kind: "instances",
      instances: [row("prod.web.1.a", "m1"), row("prod.db.1.a", "m2")],
    }),
    "GET /v1/events": () =>
      new Events([
        { type: "following", at: "2026-01-01T00:00:00.000Z" },
        sample(0, 10, 7),
        {
          ...{ type: "instance", at: "2026-01-01T00:00:03.000Z", id: "dev.web.1.a", namespace: "dev" },
          ...{ service: "web", machine: "m3", state: "running" },
        },
        sample(5, 20, 6, 1),
        sample(10, 20, 7, 2),
      ]),
  });
});
afterAll(() => daemon.close());
const top = (...argv: readonly string[]) => ctl(["top", ...argv], { env: { PLOYZ_SOCKET: daemon.socket } });

it("shows CPU between two looks, the busiest first; a restarted instance has none", async () => {
  const { out, code } = await top("--plain");
  expect(code).toBe(0);
  expect(out).toBe(
    [
      "machine\tm1\t0.50\t1.0G\t2.0G\t-",
      "instance\tprod/web.1\tm1\t200.0%\t10M",
      "instance\tdev/web.1\tm3\t20.0%\t5.0M",
      "instance\tprod/db.1\tm2\t-\t20M",
      "",
    ].join("\n"),
  );
  expect(daemon.received.at(-1)?.query).toEqual({ follow: "true", samples: "true" });
});

it("of a namespace or a service, by memory, as JSON", async () => {
  const of = async (...argv: readonly string[]) => {
    const { instances } = JSON.parse((await top(...argv, "--json")).out);
    return instances.map(({ id }: { readonly id: string }) => id);
  };
  expect(await of("prod", "--sort", "memory")).toEqual(["prod.db.1.a", "prod.web.1.a"]);
  expect(await of("prod/db")).toEqual(["prod.db.1.a"]);
  expect(await of("--sort", "name")).toEqual(["dev.web.1.a", "prod.db.1.a", "prod.web.1.a"]);
});

it("refuses an unknown order before it asks", async () => {
  const asked = daemon.received.length;
  const { code, err } = await top("--sort", "size");
  expect([code, daemon.received.length]).toEqual([2, asked]);
  expect(err).toContain("--sort");
});
