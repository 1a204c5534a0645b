import { afterEach, beforeEach, expect, it } from "vitest";
import { type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

const gateway = {
  ...{ state: "running", commits: ["prod@7"], oldWorkers: 1, dropped: ["prod/db/x (port taken)"] },
  routes: [
    {
      ...{ place: "www.a.test/", kind: "http", to: "prod/web/http", httpsOnly: true },
      options: ["basicAuth", "limits"],
    },
    { place: "a.test/", kind: "redirect", to: "https://www.a.test", httpsOnly: false, options: [] },
    { place: "tcp:5432", kind: "tcp", to: "prod/db/pg", httpsOnly: false, options: [] },
  ],
  servers: [
    {
      ...{ backend: "prod/web/http", instance: "prod.web.1.x", address: "10.101.1.2", port: 8080 },
      ...{ state: "down", sessions: 3 },
    },
  ],
  holds: [{ backend: "prod/web/http", waiting: 4 }],
  certificates: [{ names: ["www.a.test"], notAfter: "2026-12-01T00:00:00.000Z" }],
};

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await fakeDaemon({
    "GET /v1/gateways": () => ({
      kind: "gateways",
      gateways: [
        { machine: "m1", gateway },
        { machine: "m2", error: { code: "unreachable", message: "m2 does not answer" } },
      ],
    }),
  });
});
afterEach(() => daemon.close());
const run = (words: string) => ctl(["--socket", daemon.socket, ...words.split(" ")]);

it("shows routes, instances and waiting requests of each gateway, and which one does not answer", async () => {
  const { code, out } = await run("gateway show");
  expect(code).toBe(0);
  for (const text of [
    "m1: HAProxy running, serves prod@7; 1 old workers finish their connections",
    "not served: prod/db/x (port taken)",
    "4 requests wait for an instance of prod/web/http",
    "redirect to https://www.a.test",
    "basicAuth limits",
    "10.101.1.2:8080",
    "2026-12-01",
    "m2: m2 does not answer",
  ])
    expect(out).toContain(text);
  expect(out).toMatch(/prod\.web\.1\.x +10\.101\.1\.2:8080 +3 +down/);
});

it("asks for one machine only, by its name", async () => {
  await run("gateway show --machine m1 --json");
  expect(daemon.received.map(({ query }) => query)).toEqual([{ machine: "m1" }]);
  expect((await run("gateway show --machine M1")).code).toBe(2);
});
