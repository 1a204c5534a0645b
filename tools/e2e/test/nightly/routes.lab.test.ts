import type { AccessEvent, GatewayList } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, node, openCluster, webBundle } from "../../src/cluster.ts";
import { within } from "../../src/survive.ts";

/** "right", by SHA-512 and by bcrypt. */
const SHA =
  "$6$saltsalt$gzY3OAolfMFSB9Ld7iMdOQlViFqO3IOPeU0zkHsD.58tcMxRAFD0Qjfi2sjus3i.8aqWarEvFPREqzp18Jm291";
const BCRYPT = "$2b$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC";

const manifest = (routes: string) => `namespace = "prod"
[services.web]
bundle = "./web"
command = ["${node}", "server.mjs"]
ports = { http = 8080 }
ready = { http = "/healthz" }
replicas = 2
routes = [${routes}]
`;
const ROUTES = [
  `{ host = "a.test", redirect = "https://www.a.test", status = 301 }`,
  `{ host = "www.a.test", headers = { response = { X-Site = "%[src] \\"a\\"" } }, compression = true }`,
  `{ host = "www.a.test", path = "/api", strip_prefix = "/api", methods = ["GET"], limits = { rate = "3/h" } }`,
  `{ host = "sticky.a.test", sticky = "cookie" }`,
  `{ host = "inside.a.test", deny = ["0.0.0.0/0"] }`,
  `{ host = "team.a.test", basic_auth = { secret = "team" } }`,
].join(", ");

/** One cluster through it all: each test begins where the one before it ended. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 2 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const deploy = async (routes: string, ok: readonly number[] = [0]) =>
  cluster.ctl(2, ["deploy", "-f", await cluster.put(2, manifest(routes), webBundle), "--json"], { ok });

/** Status and headers that curl on machine `i` gets from that machine's gateway. */
async function ask(i: number, host: string, path = "/", more: readonly string[] = []) {
  const { stdout } = await cluster.lab.sh(i, [
    ...(["curl", "-s", "-o", "/dev/null", "-D", "-", "-H", `Host: ${host}`] as const),
    ...more,
    `http://${cluster.lab.addresses[i - 1]}${path}`,
  ]);
  return { status: Number(/^HTTP\/\S+ (\d+)/.exec(stdout)?.[1]), head: stdout.toLowerCase() };
}

it("serves routes with options at every machine's gateway, and shows them as they were written", async () => {
  const refused = await deploy(ROUTES, [3]);
  expect(refused.stdout).toContain("ployzctl secret set prod/team");
  await cluster.ctl(1, ["secret", "set", "prod/team"], { input: "ann:right\n" });
  expect((await deploy(ROUTES, [3])).stdout).toContain("secret_without_users");
  await cluster.ctl(1, ["secret", "set", "prod/team"], { input: `ann:${SHA}\n` });
  await deploy(ROUTES);
  for (const i of [1, 2]) {
    const moved = await ask(i, "a.test", "/x?y");
    expect([moved.status, moved.head]).toEqual([
      301,
      expect.stringContaining("location: https://www.a.test/x?y\r"),
    ]);
    expect((await ask(i, "www.a.test")).head).toContain('x-site: %[src] "a"\r');
    expect((await ask(i, "www.a.test", "/api/x", ["-X", "POST"])).status).toBe(405);
    expect((await ask(i, "inside.a.test")).status).toBe(403);
    expect((await ask(i, "sticky.a.test")).head).toMatch(/set-cookie: ployz-[0-9a-f]+=/);
    const statuses = [];
    for (let index = 0; index < 4; index++) statuses.push((await ask(i, "www.a.test", "/api/x")).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect((await ask(i, "team.a.test")).head).toContain('www-authenticate: basic realm="prod"');
    expect((await ask(i, "team.a.test", "/", ["-u", "ann:wrong"])).status).toBe(401);
    expect((await ask(i, "team.a.test", "/", ["-u", "ann:right"])).status).toBe(200);
  }
  const { stdout } = await cluster.ctl(1, ["show", "prod", "--manifest"]);
  expect(stdout).toContain('redirect = "https://www.a.test"');
  expect(stdout).toContain('secret = "team"');
  expect((await cluster.ctl(1, ["route", "ls"])).stdout).toContain("https://www.a.test (301)");
  await cluster.ctl(1, ["secret", "rm", "prod/team"], { ok: [3] });
});

it("shows what each gateway serves, puts the namespace into maintenance and out of it, and makes private branches", async () => {
  const { gateways } = await cluster.json<GatewayList>(2, ["gateway", "show"]);
  expect(gateways.map(({ machine, gateway }) => [machine, gateway?.state, gateway?.routes.length])).toEqual([
    ["m1", "running", 6],
    ["m2", "running", 6],
  ]);
  for (const { gateway } of gateways)
    expect(new Set(gateway?.servers.map(({ state }) => state))).toEqual(new Set(["up"]));
  await cluster.ctl(1, ["route", "maintenance", "prod", "on"]);
  for (const i of [1, 2]) {
    const away = await ask(i, "www.a.test");
    expect([away.status, away.head]).toEqual([503, expect.stringContaining("retry-after: 120")]);
    expect((await ask(i, "a.test")).status).toBe(301);
  }
  await deploy(ROUTES);
  expect((await ask(2, "www.a.test")).status).toBe(503);
  await cluster.ctl(2, ["route", "maintenance", "prod/web", "off"]);
  for (const i of [1, 2]) expect((await ask(i, "www.a.test")).status).toBe(200);
  const { stderr } = await cluster.ctl(1, ["branch", "prod", "pr-1", "--private"]);
  const password = /password (\S+) /.exec(stderr)?.[1] ?? "";
  for (const i of [1, 2]) {
    expect((await ask(i, "pr-1--www.a.test")).status).toBe(401);
    expect((await ask(i, "pr-1--www.a.test", "/", ["-u", `preview:${password}`])).status).toBe(200);
    expect((await ask(i, "pr-1--a.test", "/x")).head).toContain("location: https://pr-1--www.a.test/x");
  }
  await cluster.ctl(1, ["namespace", "rm", "pr-1", "--yes"]);
});

it("takes a new password without a deploy, at a machine that was away too, and keeps it without the daemon", async () => {
  await cluster.lab.cut(2);
  await cluster.ctl(1, ["secret", "set", "prod/team"], { input: `bob:${BCRYPT}\n` });
  const as = (user: string, i: number) => ask(i, "team.a.test", "/", ["-u", `${user}:right`]);
  const changed = (i: number) =>
    within(`machine ${i} to know bob`, 60_000, async () =>
      (await as("bob", i)).status === 200 && (await as("ann", i)).status === 401 ? true : undefined,
    );
  await changed(1);
  await cluster.lab.on(2);
  await changed(2);
  const { stdout: readable } = await cluster.lab.sh(2, [
    "sh",
    "-c",
    "find /var/lib/ployz /run/ployz -type f -perm /077 -exec grep -lF -- '$2b$05$' {} + || true",
  ]);
  expect(readable).toBe("");
});

it("logs the requests of a route at every machine, and merges them by time", async () => {
  await deploy(`{ host = "log.a.test", log = true }, { host = "quiet.a.test" }`);
  for (const i of [1, 2]) {
    expect((await ask(i, "log.a.test", `/from-${i}?token=secret`)).status).toBe(200);
    expect((await ask(i, "quiet.a.test", "/quiet")).status).toBe(200);
  }
  type Logged = { readonly events: readonly (AccessEvent & { readonly type: "request" })[] };
  const found = await within("both machines' requests", 20_000, async () => {
    const { events } = await cluster.json<Logged>(2, ["gateway", "log", "prod/web"]);
    return events.length === 2 ? events : undefined;
  });
  expect(found.map(({ machine, path, status }) => [machine, path, status])).toEqual([
    ["m1", "/from-1", 200],
    ["m2", "/from-2", 200],
  ]);
  for (const { instance, instanceMachine, requestId } of found) {
    expect(instance).toMatch(/^prod\.web\./);
    expect(instanceMachine).toMatch(/^m[12]$/);
    expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
  }
  const { stdout } = await cluster.ctl(1, ["gateway", "log", "--machine", "m2", "--since", "10m"]);
  expect(stdout).toContain("http://log.a.test/from-2");
  expect(stdout).not.toMatch(/from-1|quiet|secret/);
  await cluster.ctl(1, ["gateway", "log", "prod/wep"], { ok: [3] });
  await cluster.ctl(1, ["gateway", "log", "--machine", "m9"], { ok: [3] });
});
