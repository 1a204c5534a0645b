import type { ClusterStatus, InstanceList, NetworkPolicyDocument } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, node, openCluster, webBundle } from "../src/cluster.ts";

/** One cluster through it all: web of `prod` and of `pr-42` run on both machines, and jobs look at what they reach. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 2 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const web = (version: string, allowFrom = "") => `[services.web]
bundle = "./web"
command = ["${node}", "server.mjs"]
env = { VERSION = "${version}" }
ports = { http = 8080 }
ready = { http = "/healthz" }
replicas = 2
${allowFrom}
`;

/** A job that succeeds when every address answers as expected. `open`: it accepts; `closed`: it does not; `unknown`: the name does not resolve. */
const probe = (name: string, machine: string, wanted: Readonly<Record<string, string>>) => `[jobs.${name}]
bundle = "./web"
command = ["${node}", "-e", '''
const net = require("node:net");
const dial = (target) => new Promise((resolve) => {
  const [host, port] = target.split(" ");
  const socket = net.connect(Number(port), host);
  socket.setTimeout(3000, () => resolve("closed"));
  socket.on("connect", () => { socket.destroy(); resolve("open"); });
  socket.on("error", ({ code }) => resolve(/ENOTFOUND|EAI_AGAIN/.test(code) ? "unknown" : "closed"));
});
(async () => {
  let wrong = 0;
  for (const [target, expected] of Object.entries(${JSON.stringify(wanted)})) {
    const seen = await dial(target);
    if (seen !== expected) { console.error(target, "is", seen, "and not", expected); wrong = 1; }
  }
  process.exit(wrong);
})();
''']
after = ["web"]
constraints = { machines = ["${machine}"] }
`;

const deploy = async (namespace: string, text: string, ok: readonly number[] = [0]) => {
  const file = await cluster.put(1, `namespace = "${namespace}"\n${text}`, webBundle);
  return cluster.ctl(1, ["deploy", "-f", file, "--json"], { ok });
};
const addresses = async (namespace: string) =>
  (await cluster.json<InstanceList>(1, ["ps", namespace])).instances.map(({ address }) => `${address} 8080`);
const all = (targets: readonly string[], expected: string) =>
  Object.fromEntries(targets.map((target) => [target, expected]));

it("a job finds by name what it comes after, in the first deploy and when both change", async () => {
  const reached = { "web 8080": "open", "web.prod.cluster.local 8080": "open" };
  for (const version of ["v1", "v2"]) {
    await deploy(
      "prod",
      [web(version), ...["m1", "m2"].map((m) => probe(`look-${version}-${m}`, m, reached))].join(""),
    );
  }
});

it("a workload reaches its own namespace and the gateways, and nothing else of the cluster", async () => {
  const others = await addresses("prod");
  expect(others).toHaveLength(2);
  const machines = {
    ...all(
      ["10.101.1.1 22", "10.101.2.1 22", "10.101.1.1 4222", "10.101.2.1 4319", "10.101.1.1 9464"],
      "closed",
    ),
    ...all(["10.101.1.1 80", "10.101.2.1 80"], "open"),
  };
  const wanted = { "web 8080": "open", "web.prod 8080": "unknown", "web.prod.cluster.local 8080": "unknown" };
  const checks = { ...all(others, "closed"), ...machines, ...wanted };
  await deploy("pr-42", [web("v1"), ...["m1", "m2"].map((m) => probe(`look-${m}`, m, checks))].join(""));
  // The commit has it now; and the same holds after it.
  await deploy("pr-42", [web("v1"), ...["m1", "m2"].map((m) => probe(`again-${m}`, m, checks))].join(""));
});

it("a machine scrapes the metrics of another, and finds its instances in them", async () => {
  const script = 'fetch("http://10.101.2.1:9464/metrics").then((answer) => answer.text()).then(console.log)';
  const { stdout } = await cluster.lab.sh(1, [node, "-e", script]);
  const value = (line: RegExp) => Number(line.exec(stdout)?.[1]);
  expect(value(/^ployz_store_connected (\d)$/m)).toBe(1);
  expect(value(/^ployz_instance_running\{namespace="prod",service="web".* (\d)$/m)).toBe(1);
  expect(value(/^ployz_instance_memory_bytes\{namespace="prod",service="web".* (\d+)$/m)).toBeGreaterThan(
    1e6,
  );
  expect(value(/^ployz_wireguard_last_handshake_seconds\{peer="m1"\} ([\d.]+)$/m)).toBeGreaterThan(1e9);
  expect(value(/^ployz_follower_up\{follower="gateway"\} (\d)$/m)).toBe(1);
});

it("a probe that expects otherwise fails, so the ones above look at something", async () => {
  const failed = await deploy("pr-43", web("v1") + probe("wrong", "m1", { "web 8080": "closed" }), [1]);
  expect(failed.stdout).toContain("web 8080 is open and not closed");
});

it("allow_from opens one service, by address and by name", async () => {
  await deploy("prod", web("v2", 'allow_from = ["pr-*"]'));
  const checks = { ...all(await addresses("prod"), "open"), "web.prod.cluster.local 8080": "open" };
  await deploy("pr-42", [web("v1"), ...["m1", "m2"].map((m) => probe(`open-${m}`, m, checks))].join(""));
});

it("the policy is back within a minute after another program flushed it", async () => {
  await cluster.lab.sh(2, ["nft", "flush", "ruleset"]);
  await expect
    .poll(async () => (await cluster.lab.sh(2, ["nft", "list", "tables"])).stdout, { timeout: 60_000 })
    .toContain("ployz_ployz0_policy");
});

it("the policy is shown with its reasons, and each machine has exactly it", async () => {
  const { isolation, edges, machines } = await cluster.json<NetworkPolicyDocument>(1, [
    ...["network", "policy", "show", "prod"],
  ]);
  expect(isolation).toBe("on");
  expect(edges).toContainEqual({ from: "pr-42", to: "prod/web", why: 'allow_from = ["pr-*"]' });
  expect(edges).toContainEqual({ from: "prod", to: "prod", why: "its own namespace" });
  expect(edges.some(({ from, to }) => from === "pr-42" && to === "pr-42")).toBe(false);
  expect(machines).toEqual(["m1", "m2"].map((machine) => ({ machine, policy: "loaded", right: true })));
});

it("a cluster without isolation is warned of, and one command turns it on", async () => {
  const warned = async () =>
    (await cluster.json<ClusterStatus>(2, ["status"])).warnings.filter(({ message }) =>
      message.startsWith("namespaces are not apart"),
    );
  await deploy("prod", web("v3"));
  const others = await addresses("prod");
  expect(await warned()).toEqual([]);
  await cluster.ctl(1, ["network", "policy", "disable", "--yes"]);
  expect((await warned())[0]?.hint).toContain("ployzctl mesh policy enable");
  await deploy("pr-42", web("v1") + probe("flat", "m2", all(others, "open")));
  const { isolation, machines } = await cluster.json<NetworkPolicyDocument>(2, [
    ...["network", "policy", "enable", "--yes"],
  ]);
  expect(isolation).toBe("on");
  expect(machines.map(({ right }) => right)).toEqual([true, true]);
  expect(await warned()).toEqual([]);
  await deploy("pr-42", web("v1") + probe("apart", "m2", all(others, "closed")));
});

it("a host belongs to the namespace that routed it first, until its manifest lets another in", async () => {
  const routed = (allowed: string, path: string) => (namespace: string) => {
    const text = web("v1", `routes = [{ host = "own.test", path = "${path}" }]`);
    return `namespace = "${namespace}"\n${allowed}${text}`;
  };
  const put = (text: string) => cluster.put(1, text, webBundle);
  await cluster.ctl(1, ["deploy", "-f", await put(routed("", "/")("owner"))]);
  const thief = await put(routed("", "/private")("thief"));
  const refused = await cluster.ctl(1, ["deploy", "-f", thief, "--json"], { ok: [3] });
  expect(refused.stdout).toContain("own.test");
  const open = await put(routed('allow_routes_from = ["thief"]\n', "/")("owner"));
  const plan = await cluster.ctl(1, ["deploy", "-n", "-f", open]);
  expect(plan.stdout).toContain("allow_routes_from: none -> thief");
  await cluster.ctl(1, ["deploy", "-f", open]);
  await cluster.ctl(1, ["deploy", "-f", thief]);
  expect((await cluster.get(2, "own.test", "/private/")).status).not.toBe(503);
});
