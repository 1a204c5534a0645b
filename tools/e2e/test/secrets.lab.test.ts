import { createHash } from "node:crypto";
import type { SecretChanged, SecretList, StoreMoved } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, node, openCluster, webBundle } from "../src/cluster.ts";
import { storeOn } from "../src/store.ts";
import { daemonUp, within } from "../src/survive.ts";

const [ONE, TWO, THREE] = ["hunter2-the-first", "hunter2-the-second", "hunter2-the-third"];
const hash = (value: string) => createHash("sha256").update(value).digest("hex");

/** A service that says in its log, at each start, whose hash its secret has. */
const manifest = (version: string, namespace = "prod", machine = "m2") => `namespace = "${namespace}"
[services.web]
bundle = "./web"
command = ["sh", "-c", 'echo "started $VERSION $(printf %s "$DATABASE_URL" | sha256sum) at $(date +%s)"; exec ${node} server.mjs']
env = { VERSION = "${version}", DATABASE_URL = { secret = "db-url" } }
ports = { http = 8080 }
ready = { http = "/healthz" }
constraints = { machines = ["${machine}"] }
`;

/** One cluster through it all: each test begins where the one before it ended. The store is on m1, what runs on m2. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const set = (i: number, secret: string, value: string, more: readonly string[] = []) =>
  cluster.json<SecretChanged>(i, ["secret", "set", secret, ...more], { input: `${value}\n` });
const list = async (i: number) => (await cluster.json<SecretList>(i, ["secret", "ls"])).secrets;
const deploy = async (i: number, version: string, ok: readonly number[] = [0], namespace = "prod") => {
  const file = await cluster.put(i, manifest(version, namespace), webBundle);
  return cluster.ctl(i, ["deploy", "-f", file, "--json"], { ok });
};
const runsWith = (value: string, version: string, namespace = "prod") =>
  within(`${namespace} ${version} has its secret`, 30_000, async () => {
    const { stdout } = await cluster.ctl(1, ["logs", `${namespace}/web`, "--tail", "50"]);
    return stdout.includes(`started ${version} ${hash(value)}`) ? true : undefined;
  });
/** Files under what Ployz writes that hold the text. */
const filesWith = async (i: number, text: string) => {
  const dirs = "/var/lib/ployz /run/ployz /etc/ployz /var/log";
  const { stdout } = await cluster.lab.sh(i, [
    "sh",
    "-c",
    `grep -rlF -- '${text}' ${dirs} 2>/dev/null || true`,
  ]);
  return stdout.split("\n").filter((line) => line !== "");
};

it("is refused until it is set; then its value is in the instance and nowhere else", async () => {
  const refused = await deploy(3, "v1", [3]);
  expect(refused.stdout).toContain("ployzctl secret set prod/db-url");
  expect(await set(3, "prod/db-url", ONE)).toMatchObject({ changed: true, users: [] });
  expect(await set(1, "prod/db-url", ONE)).toMatchObject({ changed: false });
  const deployed = await deploy(3, "v1");
  await runsWith(ONE, "v1");

  const { operation } = JSON.parse(deployed.stdout) as { readonly operation: string };
  const asked = [
    ...[
      ["show", "prod", "--json"],
      ["show", "prod", "--manifest"],
      ["secret", "ls", "--json"],
    ],
    ...[
      ["ops", "show", operation, "--json"],
      ["ps", "--json"],
      ["status", "--json"],
      ["history", "prod", "--json"],
    ],
  ];
  const told = await Promise.all(asked.map((args) => cluster.ctl(1, args)));
  expect([deployed, ...told].map(({ stdout, stderr }) => stdout + stderr).join()).not.toContain(ONE);
  const processes = await cluster.lab.sh(2, ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]);
  expect(processes.stdout).not.toContain(ONE);
  expect(await filesWith(1, ONE)).toEqual([]);
  expect(await filesWith(3, ONE)).toEqual([]);
  const kept = await filesWith(2, ONE);
  expect(kept.some((file) => file.includes("/secrets/prod.web."))).toBe(true);
  const { stdout: modes } = await cluster.lab.sh(2, ["stat", "-c", "%a %U", ...kept]);
  expect(new Set(modes.trim().split("\n"))).toEqual(new Set(["600 root"]));
});

it("reaches services with their next deploy, and the old value is gone with the old instance", async () => {
  const done = await set(2, "prod/db-url", TWO);
  expect(done).toMatchObject({
    changed: true,
    users: ["prod/web"],
    outdated: [expect.stringContaining("prod.web.")],
  });
  expect((await list(3))[0]).toMatchObject({ state: "set", outdated: done.outdated });
  const deployed = await deploy(1, "v1");
  expect(deployed.stdout).toContain("secrets.db-url");
  await runsWith(TWO, "v1");
  expect((await list(3))[0]).toMatchObject({ outdated: [] });
  expect(await filesWith(2, ONE)).toEqual([]);
  expect(JSON.parse((await deploy(1, "v1")).stdout)).toMatchObject({ changed: false });
});

it("is there after a power cut, also while no machine of the store is", async () => {
  await cluster.lab.cut(1);
  await cluster.lab.cut(2);
  const since = Math.floor(Date.now() / 1000);
  await cluster.lab.on(2);
  const { adoption } = await daemonUp(cluster, 2);
  expect(adoption).toMatchObject({ failed: [], recreated: [{ what: expect.stringContaining("prod.web.") }] });
  const log = "cat /var/lib/ployz/logs/instances/prod.web.*/stdout/current";
  await within("its value is that of before", 20_000, async () => {
    const { stdout } = await cluster.lab.sh(2, ["sh", "-c", log]);
    const starts = [...stdout.matchAll(/started v1 (\w+) .* at (\d+)/g)];
    return starts.some(([, held, at]) => held === hash(TWO) && Number(at) >= since) ? true : undefined;
  });
  const away = await cluster.ctl(3, ["secret", "set", "prod/other", "--json"], { input: "x", ok: [4] });
  expect(away.stdout).toContain("store_unavailable");
  await cluster.lab.on(1);
  await daemonUp(cluster, 1);
  await within("the store is back", 30_000, async () => ((await list(3)).length === 1 ? true : undefined));
});

it("goes to branches, unless it is kept from them", async () => {
  await cluster.ctl(1, ["branch", "apply", "prod", "pr-1"]);
  await runsWith(TWO, "v1", "pr-1");
  expect((await list(1))[0]?.users).toEqual(["pr-1/web", "prod/web"]);
  await cluster.ctl(1, ["secret", "rm", "prod/db-url"], { ok: [3] });
  await set(1, "pr-1/db-url", ONE);
  await deploy(1, "v2", [0], "pr-1");
  await runsWith(ONE, "v2", "pr-1");
  await set(1, "prod/db-url", TWO, ["--no-branch"]);
  const refused = await cluster.ctl(1, ["branch", "apply", "prod", "pr-2", "--json"], { ok: [3] });
  expect(refused.stdout).toContain("prod does not give its own to branches");
  const removed = await cluster.ctl(1, ["namespace", "rm", "pr-1", "--yes"]);
  expect(removed.stdout + removed.stderr).toContain("ployzctl secret rm pr-1/db-url");
  await cluster.ctl(1, ["secret", "rm", "pr-1/db-url"]);
  expect(await filesWith(2, ONE)).toEqual([]);
});

it("moves with the store, is in an encrypted backup, and is reported as lost where it is", async () => {
  await cluster.json<StoreMoved>(1, ["machine", "storage", "promote", "--replicas", "1", "m3"], {
    timeoutMs: 180_000,
  });
  await storeOn(cluster, 1, ["m3"]);
  await set(1, "prod/db-url", THREE);
  await deploy(1, "v3");
  await runsWith(THREE, "v3");
  expect(await filesWith(3, THREE)).toEqual([]);

  await cluster.lab.sh(3, ["sh", "-c", "echo correct horse > /root/pass"]);
  const key = ["--passphrase-file", "/root/pass"];
  await cluster.ctl(3, ["store", "snapshot", "-o", "/root/a.ployz", ...key]);
  const { stdout: backup } = await cluster.lab.sh(3, ["base64", "-w0", "/root/a.ployz"]);

  await cluster.lab.cut(3);
  await cluster.json<StoreMoved>(1, ["store", "recover", "--yes"], { timeoutMs: 180_000 });
  await storeOn(cluster, 2, ["m1"]);
  expect(await list(1)).toMatchObject([{ name: "db-url", state: "lost" }]);
  const failed = await deploy(1, "v4", [1]);
  expect(failed.stdout).toContain("secret_lost");
  await runsWith(THREE, "v3");

  await cluster.lab.sh(1, ["sh", "-c", "base64 -d > /root/a.ployz; echo correct horse > /root/pass"], {
    input: backup,
  });
  await cluster.json(1, ["store", "restore", "/root/a.ployz", "--yes", ...key], { timeoutMs: 180_000 });
  await storeOn(cluster, 2, ["m1"]);
  expect(await list(2)).toMatchObject([{ name: "db-url", state: "set" }]);
  await deploy(1, "v4", [0, 5]); // m3 is off: what it would have to publish there is owed
  await runsWith(THREE, "v4");
});
