import fc from "fast-check";
import { expect, it } from "vitest";
import { chooseRoute } from "./choose-route.ts";
import { project, type Settings } from "./desired.ts";
import type { RouteOptions } from "./options.ts";
import { mapText, render } from "./render.ts";
import {
  type Backend,
  mergeRoutes,
  type Route,
  type RouteTable,
  servableTable,
  validateTable,
} from "./table.ts";

const backend = (id: string, more: Partial<Backend> = {}): Backend => ({
  id,
  servers: [{ id: `${id}/1`, address: "10.101.1.2", port: 80 }],
  ...more,
});
const http = (id: string, host: string, path: string, to = backend(id)): Route => ({
  kind: "http",
  id,
  host,
  path,
  backend: to,
});
const tcp = (id: string, listenPort: number): Route => ({
  kind: "tcp",
  id,
  listenPort,
  backend: backend(id),
});
const routeId = (chosen: ReturnType<typeof chooseRoute>): string | undefined =>
  typeof chosen === "object" ? chosen.id : chosen;
const table = (...routes: Route[]): RouteTable => ({ version: "1", routes });

it("leaves out routes at odds with those that it keeps, and reads each route's servers equally often at any size", () => {
  const other = { ...backend("b"), patient: true };
  const many = (size: number) => {
    let reads = 0;
    const counted = (id: string): Backend => ({
      id,
      get servers() {
        reads += 1;
        return [{ id: `${id}/1`, address: "10.101.1.2", port: 80 }];
      },
    });
    const routes = Array.from({ length: size }, (_, at) => http(`${at}`, `${at}.com`, "/", counted(`${at}`)));
    return { ...servableTable(table(...routes, http("twice", "1.com", "/"))), perRoute: () => reads / size };
  };
  const [few, lots] = [many(10), many(1000)];
  expect([few.dropped, lots.dropped]).toEqual([["twice"], ["twice"]]);
  expect(lots.perRoute()).toBe(few.perRoute());
  const kept = servableTable(
    table(
      http("bad", "X.com", "/"),
      http("a", "x.com", "/", backend("b")),
      http("clash", "x.com", "/", backend("c")),
      http("differs", "y.com", "/", other),
      http("free", "y.com", "/", backend("c")),
    ),
  );
  expect(kept.dropped).toEqual(["bad", "clash", "differs"]);
  expect(validateTable(kept.table)).toEqual([]);
});

it.each([
  ["host and path", [http("prod/a", "x.com", "/api")], [http("dev/b", "x.com", "/api/")]],
  ["wildcard", [http("prod/a", "*.x.com", "/")], [http("dev/b", "*.x.com", "/")]],
  ["TCP port", [tcp("prod/a", 5432)], [tcp("dev/b", 5432)]],
])("refuses two owners of one %s, naming both", (_, one, two) => {
  const result = mergeRoutes([
    { version: "p1", routes: one },
    { version: "d1", routes: two },
  ]);
  expect(result).toMatchObject({
    ok: false,
    refusals: [{ code: "route_clash", owners: ["prod/a", "dev/b"] }],
  });
});

it("joins tables whose routes do not meet", () => {
  const result = mergeRoutes([
    { version: "p1", routes: [http("a", "x.com", "/"), tcp("b", 1)] },
    { version: "d1", routes: [http("c", "x.com", "/c"), http("d", "*.x.com", "/")] },
  ]);
  expect(result).toMatchObject({ ok: true, table: { version: "p1,d1" } });
});

it("refuses a backend that is described in two ways, and the gateway's own port", () => {
  const other = { ...backend("b"), servers: [] };
  expect(
    validateTable(table(http("1", "x.com", "/", backend("b")), http("2", "y.com", "/", other))),
  ).toMatchObject([{ code: "backend_conflict", owners: ["1", "2"] }]);
  expect(validateTable(table(tcp("1", 80)), { reservedPorts: [80] })).toMatchObject([
    { code: "route_invalid" },
  ]);
});

it.each([
  ["X.com", "/"],
  ["x.com:80", "/"],
  ["*", "/"],
  ["a.*.com", "/"],
  ["", "/"],
  ["-x.com", "/"],
  [`${"a.".repeat(127)}com`, "/"],
  ["x.com", "api"],
  ["x.com", ""],
  ["x.com", "/a b"],
  ["x.com", "/a\nuse_backend b"],
  ["x.com", "/a\0"],
  ["x.com", '/"'],
  ["x.com", "/\\"],
  ["x.com", "/#"],
  ["x.com", `/${"a".repeat(65_536)}`],
  ["x.com\n", "/"],
])("refuses host %j with path %j", (host, path) => {
  expect(validateTable(table(http("r", host, path, backend("b"))))).toMatchObject([
    { code: "route_invalid", owners: ["r"] },
  ]);
});

it("chooses an exact host before a wildcard, and the longest path on segment boundaries", () => {
  const routes = table(
    http("root", "a.x.com", "/"),
    http("api", "a.x.com", "/api"),
    http("v2", "a.x.com", "/api/v2/"),
    http("wild", "*.x.com", "/"),
    http("wild-deep", "*.x.com", "/api/v2/deep"),
    http("only-api", "b.x.com", "/api"),
  );
  const choose = (host: string, path: string) => routeId(chooseRoute(routes, host, path));
  expect(choose("a.x.com", "/")).toBe("root");
  expect(choose("A.X.com.:8080", "/api")).toBe("api");
  expect(choose("a.x.com", "/apix")).toBe("root");
  expect(choose("a.x.com", "/api/v2")).toBe("v2");
  expect(choose("a.x.com", "/api/v2/deep")).toBe("v2");
  expect(choose("b.x.com", "/other")).toBe("wild");
  expect(choose("c.d.x.com", "/")).toBeUndefined();
  expect(choose("x.com", "/")).toBeUndefined();
});

const settings: Settings = {
  listen: [{ host: "0.0.0.0", port: 80 }],
  dir: "/var/lib/gateway",
  hardStopMs: 1000,
  requestTimeoutMs: 1000,
  checkIntervalMs: 750,
  trustedProxies: [],
  proxyProtocol: false,
  requestId: false,
};

const optioned = render(
  project(
    table({
      ...http("r", "x.com", "/"),
      options: {
        ...{ allow: ["10.0.0.0/8"], methods: ["GET"], stripPrefix: "/", addPrefix: "/a" },
        ...{ requestHeaders: { a: "b" }, responseHeaders: { a: "b", "X-B": "" } },
      },
    } as Route),
    settings,
    new Set(),
  ),
  settings,
).split("\n").length;
const anOption: fc.Arbitrary<RouteOptions> = fc
  .tuple(
    fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/)),
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.stringMatching(/^[A-Za-z!#$%&'*+.^_`|~-]{1,9}$/),
    ),
  )
  .map(([value, name]) => ({
    ...{ allow: ["10.0.0.0/8"], methods: ["GET"], stripPrefix: "/", addPrefix: `/${value}` },
    ...{ requestHeaders: { [name]: value }, responseHeaders: { [name]: value, "X-B": "" } },
  }));

it("waits long for the checks of an only server, and of no other", () => {
  const config = (patient: boolean): string => {
    const one = table(http("r", "x.com", "/", backend("b", { patient })));
    return render(project(one, settings, new Set()), settings);
  };
  const own = (text: string): string => text.slice(text.indexOf("backend http:b"));
  expect(own(config(true))).toContain("timeout check 30000ms");
  expect(own(config(false))).not.toContain("timeout check");
});

it("lets no accepted option change the structure of the rendered text", () => {
  let accepted = 0;
  fc.assert(
    fc.property(anOption, (options) => {
      const one = table({ ...http("r", "x.com", "/"), options } as Route);
      if (validateTable(one).length > 0) return;
      accepted++;
      const lines = render(project(one, settings, new Set()), settings).split("\n");
      // Outside of quotes there is no other quote, escape or variable; and each line is as long as it was meant.
      const bare = lines.map((line) => line.replace(/"(\\.|[^"\\$])*"/g, '""'));
      expect(
        bare.filter((line) => /set-header|set-path/.test(line) && /["]/.test(line.replaceAll('""', ""))),
      ).toEqual([]);
      expect(lines.length).toBe(optioned);
    }),
    { numRuns: 3000 },
  );
  expect(accepted).toBeGreaterThan(100);
});

it("lets no accepted string change the structure of the rendered text", () => {
  const nasty = fc.oneof(
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.stringMatching(/^[a-z0-9.*:/ \n\\"'#;$%{}<>-]{0,30}$/),
    fc.stringMatching(/^\/[a-zA-Z0-9'$%;&(){}-]{0,20}$/),
    fc.constantFrom("/ok", "x.com", "*.x.com", "prod/web/http", "10.0.0.1"),
  );
  const clean = render(
    project(
      table(http("r", "x.com", "/", backend("b", { check: { kind: "http", path: "/" } }))),
      settings,
      new Set(),
    ),
    settings,
  );
  let accepted = 0;
  fc.assert(
    fc.property(nasty, nasty, nasty, nasty, nasty, (host, path, id, check, server) => {
      const one = table({
        kind: "http",
        id: "r",
        host,
        path,
        backend: {
          id,
          servers: [{ id: server, address: "10.0.0.1", port: 80 }],
          check: { kind: "http", path: check },
        },
      });
      if (validateTable(one).length > 0) return;
      accepted++;
      const desired = project(one, settings, new Set());
      const config = render(desired, settings);
      expect(config.split("\n").length).toBe(clean.split("\n").length);
      for (const [index, line] of config.split("\n").entries())
        expect(line.trim().split(" ").length).toBe(clean.split("\n")[index]?.trim().split(" ").length);
      expect(mapText(desired.map)).toMatch(/^(\S+ \S+\n){1,2}$/);
    }),
    { numRuns: 5000, examples: [["x.com", "/a'$%20&", "prod/web", "/h?a=$b", "s"]] },
  );
  expect(accepted).toBeGreaterThan(0);
});

it("refuses a weight that HAProxy has not", () => {
  for (const weight of [0, 257, 1.5]) {
    const heavy = backend("b", { servers: [{ id: "b/1", address: "10.101.1.2", port: 80, weight }] });
    expect(validateTable(table(http("1", "x.com", "/", heavy)))).toMatchObject([{ code: "route_invalid" }]);
  }
});
