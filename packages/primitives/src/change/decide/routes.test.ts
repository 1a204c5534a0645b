import { expect, test } from "vitest";
import type { Commit, CommittedRoute, RouteSpec } from "../../model/commit.ts";
import { KEPT_PORTS } from "../../model/kept-ports.ts";
import type { ChangeFacts, Head, MachineFact } from "../observe/facts.ts";
import type { Desired } from "./desired.ts";
import { refuseRoutes } from "./routes.ts";

const http = (host: string, path = "/"): RouteSpec => ({ kind: "http", host, path, port: "http" });
const tcp = (listen: number): RouteSpec => ({ kind: "tcp", listen, port: "db" });
const udp = (listen: number): RouteSpec => ({ kind: "udp", listen, port: "db" });

/** `routes`: host (or host and path) to when it was taken. */
function head(
  namespace: string,
  routes: Readonly<Record<string, string>>,
  allowRoutesFrom?: readonly string[],
): Head {
  const committed = Object.entries(routes).map(([at, since]): CommittedRoute => {
    const [host = "", ...path] = at.split("/");
    return { ...http(host, `/${path.join("/")}`), service: "web", ...(since !== "" && { since }) };
  });
  const commit: Partial<Commit> = {
    namespace,
    routes: committed,
    ...(allowRoutesFrom && { allowRoutesFrom }),
  };
  return { commit: commit as Commit, revision: 1 };
}

function refused(
  namespace: string,
  routes: readonly RouteSpec[],
  facts: Partial<ChangeFacts>,
  more: Partial<Desired> = {},
): readonly (string | undefined)[] {
  const services = { web: { revision: "", spec: { routes } } };
  const desired = { namespace, services, ...more } as unknown as Desired;
  const all = { others: [], machines: [], ...facts } as unknown as ChangeFacts;
  return refuseRoutes(desired, all).map(({ code, details, hint }) => {
    expect(hint).toBeTruthy();
    return `${code} ${(details as { readonly owner?: string } | undefined)?.owner ?? ""}`.trim();
  });
}

const shop = head("shop", { "www.x.com": "1", "*.apps.x.com": "1" });

test.each([
  ["a deeper path of its host", [http("www.x.com", "/admin")]],
  ["a child of its wildcard", [http("a.apps.x.com")]],
  ["a deeper path of a child", [http("a.apps.x.com", "/x")]],
  ["a path of its wildcard", [http("*.apps.x.com", "/x")]],
])("a namespace does not get %s without the owner's consent", (_what, routes) => {
  expect(refused("evil", routes, { others: [shop] })).toEqual(["route_taken shop"]);
  const consenting = { commit: { ...shop.commit, allowRoutesFrom: ["evil"] }, revision: 2 };
  expect(refused("evil", routes, { others: [consenting] })).toEqual([]);
  expect(refused("other", routes, { others: [consenting] })).toEqual(["route_taken shop"]);
});

test("a wildcard over another's host needs its consent; neighbours and deeper names do not", () => {
  expect(refused("evil", [http("*.x.com")], { others: [shop] })).toEqual(["route_taken shop"]);
  for (const host of [
    "x.com",
    "api.x.com",
    "a.b.apps.x.com",
    "*.a.apps.x.com",
    "www.x.com.evil.com",
    "apps.x.com",
  ])
    expect(refused("evil", [http(host)], { others: [shop] })).toEqual([]);
});

test("the owner stays the owner beside its guests, and decides alone about new ones", () => {
  const owner = head("shop", { "www.x.com": "1" }, ["guest"]);
  const guest = head("guest", { "www.x.com/blog": "2" });
  expect(refused("shop", [http("www.x.com", "/new")], { head: owner, others: [guest] })).toEqual([]);
  expect(refused("third", [http("www.x.com", "/third")], { others: [guest, owner] })).toEqual([
    "route_taken shop",
  ]);
  const both = head("shop", { "www.x.com": "1" }, ["guest", "third"]);
  expect(refused("third", [http("www.x.com", "/third")], { others: [guest, both] })).toEqual([]);
});

test("the owner of a wildcard has its children, also those that a guest routes", () => {
  const owner = head("shop", { "*.x.com": "1" }, ["guest"]);
  const guest = head("guest", { "a.x.com/blog": "2" });
  expect(refused("shop", [http("a.x.com", "/own")], { head: owner, others: [guest] })).toEqual([]);
});

test("revoked consent keeps present routes and allows no new ones", () => {
  const owner = head("shop", { "www.x.com": "1" });
  const guest = head("guest", { "www.x.com/blog": "2" });
  const facts = { head: guest, others: [owner] };
  expect(refused("guest", [http("www.x.com", "/blog")], facts)).toEqual([]);
  expect(refused("guest", [http("www.x.com", "/blog"), http("www.x.com", "/more")], facts)).toEqual([
    "route_taken shop",
  ]);
});

test("a commit that does not say since when is older than any that does", () => {
  const old = head("old", { "www.x.com": "" });
  const since = head("since", { "www.x.com/a": "1" });
  expect(refused("old", [http("www.x.com", "/b")], { head: old, others: [since] })).toEqual([]);
  expect(refused("since", [http("www.x.com", "/b")], { head: since, others: [old] })).toEqual([
    "route_taken old",
  ]);
});

test("a branch has its source's consent for the names that branch makes, and for no other", () => {
  const prod = head("prod", { "*.x.com": "1", "www.x.com": "1" }, ["friend"]);
  const branched = { branchedFrom: "prod" };
  expect(refused("pr-42", [http("pr-42--www.x.com")], { others: [prod] }, branched)).toEqual([]);
  for (const host of ["pr-42--none.x.com", "pr-4--www.x.com", "admin.x.com", "*.x.com"])
    expect(refused("pr-42", [http(host, "/x")], { others: [prod] }, branched)).toEqual(["route_taken prod"]);
  expect(refused("pr-42", [http("pr-42--www.x.com")], { others: [prod] })).toEqual(["route_taken prod"]);
});

test("no route listens on a port that Ployz or the machine needs", () => {
  const machine = (id: string, more: Partial<NonNullable<MachineFact["observation"]>> = {}) =>
    ({ record: { id }, observation: more }) as MachineFact;
  const machines = [machine("m1"), machine("m2", { keptPorts: { "the store": [5000, 7000] } })];
  for (const port of [...Object.values(KEPT_PORTS).flat(), 5000, 7000])
    expect([port, ...refused("db", [tcp(port)], { machines })]).toEqual([port, "port_taken"]);
  expect(refused("db", [tcp(5432)], { machines })).toEqual([]);
  for (const port of [22, 443, 4222, 51820, 7000])
    expect([port, ...refused("db", [udp(port)], { machines })]).toEqual([port, "port_taken"]);
  expect(refused("names", [udp(53)], { machines })).toEqual([]);
  const resolver = [machine("m1", { tcpPorts: [9000], udpPorts: [5353] })];
  expect(refused("db", [udp(5353)], { machines: resolver })).toEqual(["port_taken"]);
  expect(refused("db", [udp(9000), tcp(5353)], { machines: resolver })).toEqual([]);
});

test("a port belongs to one namespace, for TCP and UDP each", () => {
  const shop = head("shop", {});
  const routes = [{ ...udp(5353), service: "dns" }];
  const others = [{ ...shop, commit: { ...shop.commit, routes } }];
  expect(refused("evil", [udp(5353)], { others })).toEqual(["route_taken shop/dns"]);
  expect(refused("evil", [tcp(5353)], { others })).toEqual([]);
});

test("another spelling of a path is the same path", () => {
  const others = [head("shop", { "www.x.com/aA": "1" }, ["evil"])];
  expect(refused("evil", [http("www.x.com", "/a%41")], { others })).toEqual(["route_taken shop/web"]);
  expect(refused("evil", [http("www.x.com", "/a%42")], { others })).toEqual([]);
});
