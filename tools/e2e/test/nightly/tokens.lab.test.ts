import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Cluster,
  fixtures,
  node,
  openCluster,
  root,
  webBundle,
  webManifest,
} from "../../src/cluster.ts";

/** m1 and m2 are a cluster; m3 is where a program runs that has a token, and no SSH key. */
let cluster: Cluster;
const CI = 3;
const ALL = [
  ...[
    "read",
    "logs",
    "deploy",
    "branch",
    "promote",
    "rollback",
    "remove",
    "restart",
    "stop",
    "start",
    "scale",
  ],
  ...["maintenance", "migrate", "schedule", "volume", "backup", "secret", "exec", "run", "port-forward"],
].join();
const ANY = Array.from({ length: 256 }, (_, code) => code);
const sh = (i: number, script: string, input?: string) =>
  cluster.lab.sh(i, ["sh", "-c", script], { okExitCodes: ANY, timeoutMs: 180_000, ...(input && { input }) });

type Created = { readonly token: string; readonly machines: readonly string[] };
const create = (name: string, ...args: readonly string[]) =>
  cluster.json<Created>(1, ["token", "create", "--name", name, "--ttl", "1h", ...args]);
const keep = (name: string, { token }: Created) => sh(CI, `umask 077; cat > /root/${name}`, `${token}\n`);
/** A command of the program: its exit code and the code of its error. */
async function by(name: string, args: string, format = "--json") {
  const {
    exitCode: exit,
    stdout,
    stderr,
  } = await sh(CI, `PLOYZ_TOKEN=$(cat /root/${name}) ployzctl ${format} ${args}`);
  return { exit, code: /"code":"([a-z_]+)"/.exec(stdout)?.[1], stdout, stderr };
}
const secretOf = ({ token }: Created) => {
  const [, , id, secret, , ways] = JSON.parse(
    Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"),
  );
  return { id, secret, endpoint: ways[0][1] as string, fields: { id, secret, ways } };
};
type Answer = { readonly status: number; readonly code?: string };
async function raw(
  created: Created,
  asks: readonly object[],
  authorization?: string,
): Promise<readonly Answer[]> {
  const { id, secret, endpoint } = secretOf(created);
  const asked = authorization ?? `Bearer ${id}.${secret}`;
  const lines = asks.map((ask) => `${JSON.stringify(ask)}\n`).join("");
  const { stdout } = await sh(CI, `${node} /root/token-raw.mjs ${endpoint} '${asked}'`, lines);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}
type Audited = { readonly caller: string; readonly command: string; readonly outcome: string };
const audit = async (i: number) => {
  const { entries } = await cluster.json<{ entries: readonly Audited[] }>(i, ["audit", "--tail", "2000"]);
  return entries.filter(({ caller }) => caller.startsWith("token:"));
};

let wide: Created;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3, members: 2, installed: 3 });
  for (const namespace of ["prod", "pr-1"]) {
    const host = `${namespace}.example.test`;
    const file = await cluster.put(1, webManifest({ namespace, host, replicas: 1 }), webBundle);
    await cluster.ctl(1, ["deploy", "-f", file]);
  }
  await sh(1, "printf s3cret | ployzctl secret set prod/key");
  wide = await create("wide", "--namespace", "pr-*", "--allow", ALL);
  await keep("wide", wide);
  await sh(CI, "cat > /root/token-raw.mjs", await readFile(join(fixtures, "token-raw.mjs"), "utf8"));
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

describe("a token for pr-* with every permission", () => {
  it("names both members, and works in its namespaces through either", async () => {
    expect(wide.machines).toEqual(["m1", "m2"]);
    const { instances } = JSON.parse((await by("wide", "ps")).stdout);
    expect(instances.map((row: { namespace: string }) => row.namespace)).toEqual(["pr-1"]);
    const status = (await by("wide", "status")).stdout;
    expect(status).not.toMatch(/prod[^-]|publicKey":"[^"]/);
    expect((await by("wide", "restart pr-1/web")).exit).toBe(0);
    const { stdout } = await sh(1, "ployzctl history pr-1; ployzctl ops ls");
    expect(stdout.match(/token:wide/g)).toHaveLength(2);
    expect((await by("wide", "exec pr-1/web -- cat /etc/hostname", "")).exit).toBe(0);
    expect((await by("wide", "logs pr-1")).stdout).toContain("starting on");
  });

  it.each([
    ...["ps prod", "history prod", "show prod@1", "logs prod", "logs prod/web.1", "volume ls prod"],
    ...["exec prod/web -- id", "run prod/web -- id", "restart prod/web", "stop prod/web", "scale prod/web=2"],
    ...["branch prod pr-9", "branch pr-1 other", "promote pr-1 prod", "promote prod pr-1", "rollback prod"],
    ...["namespace rm prod --yes", "secret ls prod", "secret rm prod/key", "migrate prod/web --to m2"],
    ...[
      "machine ls",
      "machine drain m1",
      "machine rm m2 --yes",
      "store status",
      "doctor",
      "mesh status",
      "audit",
    ],
    ...["token ls", "token create --namespace 'pr-*' --allow read", "token rm wide", "machine invite create"],
    ...["image ls", "registry ls", "alert ls", "cert ls", "gateway show", "network policy show"],
  ])("does not %s", async (args) => {
    // What streams prints no document.
    const streams = /^(exec|run) /.test(args);
    const { exit, code, stderr } = await by("wide", args, streams ? "" : "--json");
    expect([exit, streams ? /may not use/.exec(stderr)?.[0] : code], stderr).toEqual([
      3,
      streams ? "may not use" : "not_permitted",
    ]);
  });

  it("deploys nowhere else, whatever the manifest calls it, and opens nothing to others", async () => {
    const manifest = webManifest({ namespace: "pr-2", host: "pr-2.example.test", replicas: 1 });
    const folder = (await cluster.put(CI, manifest, webBundle)).replace("/ployz.toml", "");
    const deploy = async (text: string, more = "") => {
      await sh(CI, `cat > ${folder}/ployz.toml`, text);
      const { exit, code } = await by("wide", `deploy --yes -f ${folder}/ployz.toml ${more}`);
      return [exit, code];
    };
    const refused = [3, "not_permitted"];
    expect(await deploy(manifest.replace('"pr-2"', '"prod"'))).toEqual(refused);
    expect(await deploy(manifest, "--namespace prod")).toEqual(refused);
    for (const peer of ["prod", "prod:web", "*", "p*", "*:web"])
      expect(await deploy(`${manifest}allow_from = ["${peer}"]\n`), peer).toEqual(refused);
    expect(await deploy(`allow_routes_from = ["prod"]\n${manifest}`)).toEqual(refused);
    for (const name of ["pr-", "pr-*", "PR-1", "рr-1", "pr-1/../prod"])
      expect((await deploy(manifest.replace('"pr-2"', JSON.stringify(name))))[0], name).toBe(2);
    expect((await deploy(`${manifest}\n[volumes.data]\nfrom = "prod/data"\n`))[0]).toBe(2);
    // A host of prod is prod's.
    expect((await deploy(manifest.replace("pr-2.example", "prod.example")))[0]).not.toBe(0);
    expect(await deploy(manifest)).toEqual([0, undefined]);
  });

  it("gets no more from the raw API, and each try is recorded", async () => {
    const before = (await audit(1)).length + (await audit(2)).length;
    const operation = (primitive: string, input: unknown, more: object = {}) => ({
      ...{ method: "POST", path: "/v1/operations" },
      body: { primitive, input, mode: "apply", by: "root@m1", ...more },
    });
    const prepared = JSON.parse((await sh(1, "ployzctl branch prepare prod staging --json")).stdout).prepared
      .id;
    const { stdout } = await sh(1, "ployzctl ops ls --json");
    const other = JSON.parse(stdout).operations.find((one: { scope: string[] }) =>
      one.scope.includes("deploy.prod"),
    );
    const asks = [
      ...[operation("namespace-rm", { namespace: "prod" }), operation("machine-rm", { machine: "m2" })],
      operation("volume-fork", {
        source: { namespace: "prod", volume: "data" },
        target: { namespace: "pr-1", volume: "data" },
      }),
      operation("namespace-rm", null, { prepared }),
      operation("restart", { namespace: "pr-1", services: ["web"] }, { prepared }),
      ...[operation("evacuate", { namespace: "pr-1", machine: "m1" }), operation("__proto__", {})],
      ...[
        "/v1/namespaces/prod/manifest",
        "/v1/namespaces/pr-%2a/history",
        "/v1/namespaces/pr-1%2f..%2fprod/history",
      ].map((path) => ({ path })),
      ...["/v1/ps?namespace=prod", "/v1/ps?namespace=pr-1&namespace=prod", "/v1/logs?target=prod"].map(
        (path) => ({ path }),
      ),
      ...[
        "/v1/store",
        "/v1/machines",
        "/v1/tokens",
        "/v1/audit",
        "/v1/mesh/self",
        "/v1/backups?namespace=prod",
      ].map((path) => ({ path })),
      ...[`/v1/operations/${other.operation}`, `/v1/operations/${other.operation}/events`].map((path) => ({
        path,
      })),
      { method: "POST", path: `/v1/operations/${other.operation}/abort` },
      { method: "PUT", path: "/v1/secrets/prod/key", body: { value: "x", by: "root" } },
      { method: "POST", path: "/v1/mesh/leave", body: { destroy: true } },
      { method: "POST", path: "/v1/tokens", body: {} },
      { method: "PUT", path: "/v1/images?name=prod:latest" },
    ];
    const answers = await raw(wide, asks);
    for (const [index, answer] of answers.entries())
      expect(answer, JSON.stringify(asks[index])).toMatchObject({ status: 403, code: "not_permitted" });
    const seen = [...(await audit(1)), ...(await audit(2))];
    expect(seen.length - before).toBe(asks.length);
    expect(new Set(seen.slice(before).map(({ outcome }) => outcome))).toContain("not_permitted");
    const smuggling = [
      {
        method: "POST",
        path: "/v1/operations",
        headers: { "transfer-encoding": "chunked", "content-length": "5" },
      },
      {
        path: "/v1/version",
        headers: { authorization: [`Bearer ${"0".repeat(16)}.${"a".repeat(43)}`, "x"] },
      },
      { path: "http://ployzd/v1/store" },
      { path: "//v1/store" },
    ];
    for (const answer of await raw(wide, smuggling)) expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await sh(1, "ployzctl ps prod --plain")).stdout).toContain("running");
  });

  it("is nothing when it was changed, is another cluster's, or has expired", async () => {
    const { id, secret, fields } = secretOf(wide);
    const wrong = [
      `Bearer ${id}.${"A".repeat(43)}`,
      `Bearer ${"0".repeat(16)}.${secret}`,
      `Basic ${id}`,
      "Bearer ",
    ];
    for (const one of wrong)
      expect(await raw(wide, [{ path: "/v1/version" }], one)).toMatchObject([
        { status: 401, code: "token_invalid" },
      ]);
    const changed = JSON.parse(Buffer.from(wide.token.split(".")[1] ?? "", "base64url").toString("utf8"));
    const pins = fields.ways.map(([, ...endpoints]: string[]) => ["A".repeat(43), ...endpoints]);
    changed[5] = pins;
    const text = `ployz-token-1.${Buffer.from(JSON.stringify(changed)).toString("base64url")}`;
    await keep("other", { token: text, machines: [] });
    expect((await by("other", "ps")).code).toBe("token_wrong_key");
    await keep("cut", { token: wide.token.slice(0, 60), machines: [] });
    expect(await by("cut", "ps")).toMatchObject({ exit: 2, code: "invalid_input" });
    const short = await cluster.json<Created>(1, [
      ...["token", "create", "--name", "short", "--ttl", "1s", "--namespace", "pr-*", "--allow", "read"],
    ]);
    await expect
      .poll(async () => (await raw(short, [{ path: "/v1/version" }]))[0]?.status, { timeout: 30_000 })
      .toBe(401);
  });

  it("ends in the middle of a stream when it is revoked, on both machines", async () => {
    await sh(
      CI,
      "(PLOYZ_TOKEN=$(cat /root/wide) ployzctl events --follow --json > /root/events 2> /root/events.err; echo $? > /root/ended) >/dev/null 2>&1 &",
    );
    await expect
      .poll(async () => (await sh(CI, "cat /root/events")).stdout, { timeout: 30_000 })
      .toContain("following");
    // Without a token the port would be closed.
    await create("other", "--namespace", "pr-*", "--allow", "read");
    await cluster.ctl(2, ["token", "revoke", "wide"]);
    await expect
      .poll(async () => (await sh(CI, "cat /root/ended")).stdout.trim(), { timeout: 30_000 })
      .not.toBe("");
    expect((await by("wide", "ps")).code).toBe("token_invalid");
  });
});

it("the script of examples/ci branches with a private URL, promotes and removes", async () => {
  const ci = await create(
    "ci",
    ...["--namespace", "pr-*", "--branch-from", "prod", "--promote-to", "prod"],
    ...["--allow", "read,logs,deploy,branch,promote,remove"],
  );
  await keep("ci", ci);
  await sh(CI, "cat > /root/preview.sh", await readFile(join(root, "examples/ci/preview.sh"), "utf8"));
  const preview = (verb: string) =>
    sh(CI, `PLOYZ_TOKEN=$(cat /root/ci) PREVIEW_COMMENT=/root/comment sh /root/preview.sh ${verb} 42`);
  const opened = await preview("open");
  expect([opened.exitCode, opened.stderr]).toEqual([0, ""]);
  const { stdout: comment } = await sh(CI, "cat /root/comment");
  const host = /http:\/\/(pr-42--prod\.example\.test)/.exec(comment)?.[1] ?? "";
  const [, user, password] = /user (\S+), password (\S+)/.exec(comment) ?? [];
  expect((await cluster.get(1, host)).status).toBe(401);
  const { stdout: page } = await sh(1, `curl -s -u ${user}:${password} -H 'Host: ${host}' http://127.0.0.1/`);
  expect(page).toContain('"version"');
  expect((await preview("open")).exitCode).toBe(0);
  expect((await preview("promote")).exitCode).toBe(0);
  expect((await preview("close")).exitCode).toBe(0);
  expect((await sh(1, "ployzctl namespace ls --plain")).stdout).not.toContain("pr-42");
  expect((await sh(1, "ployzctl ops ls")).stdout).toContain("token:ci");
});
