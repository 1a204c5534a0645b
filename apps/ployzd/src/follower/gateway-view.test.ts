import type { GatewayStatus } from "@ployz/gateway";
import { expect, it } from "vitest";
import { viewOf } from "./gateway-view.ts";

it("says what HAProxy serves, without what options hold", () => {
  const status: GatewayStatus = {
    ...{ state: "running", version: "gw@3 prod@7", worker: 9, oldWorkers: [4, 5] },
    routes: [
      {
        ...{ id: "prod/web/1", place: "a.test/", to: "prod/web/http", kind: "http", httpsOnly: true },
        options: ["basicAuth"],
      },
    ],
    servers: [
      {
        ...{ backend: "prod/web/http", id: "prod.web.1.x", address: "10.101.1.2", port: 80 },
        ...{ state: "up", sessions: 2 },
      },
    ],
    holds: [],
  };
  const udp = {
    routes: [{ place: "udp:53", kind: "udp" as const, to: "prod/dns/dns", httpsOnly: false, options: [] }],
    servers: [
      {
        ...{ backend: "prod/dns/dns", instance: "prod.dns.1.x", address: "10.101.1.3", port: 53 },
        state: "up" as const,
      },
    ],
    dropped: ["prod/dns/2 (why)"],
  };
  expect(viewOf(status, { certificates: [], dropped: [], accessLog: { lost: 0 }, filter: [udp] })).toEqual({
    ...{
      state: "running",
      commits: ["gw@3", "prod@7"],
      oldWorkers: 2,
      holds: [],
      certificates: [],
      dropped: ["prod/dns/2 (why)"],
      accessLog: { lost: 0 },
    },
    routes: [
      { place: "a.test/", to: "prod/web/http", kind: "http", httpsOnly: true, options: ["basicAuth"] },
      ...udp.routes,
    ],
    servers: [
      {
        ...{ backend: "prod/web/http", instance: "prod.web.1.x", address: "10.101.1.2", port: 80 },
        ...{ state: "up", sessions: 2 },
      },
      ...udp.servers,
    ],
  });
});
