import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, node, openCluster, webBundle } from "../../src/cluster.ts";
import { imageManifest, makeImage } from "../../src/docker.ts";
import { leftovers } from "../../src/leftovers.ts";

/** m1 and m2 run containers, m3 host processes; what dies under them, and what it takes with it. */
let cluster: Cluster;

type Daemon = {
  readonly pid: number;
  readonly down?: { readonly code: string };
  readonly adoption: { readonly adopted: readonly string[]; readonly failed: readonly unknown[] };
};
type Row = Readonly<Record<"id" | "machine" | "service" | "address" | "state", string>>;

const sh = async (i: number, script: string) => (await cluster.lab.sh(i, ["sh", "-c", script])).stdout.trim();
const until = <T>(what: string, probe: () => Promise<T | undefined>) =>
  waitFor(what, () => probe().catch(() => undefined), { timeoutMs: 60_000, intervalMs: 200 });
const instances = async () => (await cluster.json<{ instances: readonly Row[] }>(1, ["ps"])).instances;
const addresses = async () =>
  (await instances()).map(({ id, machine, address, state }) => `${id} ${machine} ${address} ${state}`).sort();
const daemon = (i: number, but?: number) =>
  until(`the daemon of m${i}`, async () => {
    const status = await cluster.json<Daemon>(i, ["daemon", "status"]);
    return status.pid === but ? undefined : status;
  });
const workload = (i: number) =>
  sh(
    i,
    "docker inspect -f '{{.Name}} {{.State.Pid}}' $(docker ps -q --filter label=ployz.runtime.identity) | sort",
  );
const serves = async (i: number) =>
  expect(await cluster.get(i, "www.example.test")).toMatchObject({
    status: 200,
    body: expect.stringContaining("v1"),
  });
const startDocker =
  "rm -f /var/run/docker.pid; setsid dockerd >>/var/log/dockerd.log 2>&1 </dev/null & until docker version >/dev/null 2>&1; do sleep 0.1; done";
const killDocker = "kill -9 $(pgrep -x dockerd); while docker version >/dev/null 2>&1; do sleep 0.05; done";

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, docker: true, members: 2 });
  const login = ["--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"];
  await cluster.ctl(1, ["machine", "add", "root@m3", "--runtime", "host", ...login]);
  await makeImage(cluster, 1, "shop/web:v1");
  await cluster.ctl(1, [
    "deploy",
    "-f",
    await cluster.put(1, imageManifest({ image: "shop/web:v1", replicas: 4 })),
  ]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("an image runs on a machine that has it, and a bundle on a machine without Docker", async () => {
  const both = (web: string, api: string) =>
    `${imageManifest({ image: "shop/web:v1", replicas: 1, namespace: "mixed", extra: web }).replace(/^routes.*$/m, "")}
[services.api]
bundle  = "./web"
command = ["${node}", "server.mjs"]
ports   = { http = 8080 }
ready   = { http = "/healthz", port = "http", timeout = "20s" }
${api}`;
  const deploy = async (web: string, api: string, ok: readonly number[]) =>
    cluster.ctl(3, ["deploy", "-f", await cluster.put(3, both(web, api), webBundle)], { ok });
  const only = (machine: string) => `constraints = { machines = ["${machine}"] }`;
  expect((await deploy("", only("m1"), [3])).stderr).toContain(
    "m1: runs Docker, and a bundle needs the process runtime",
  );
  await deploy("", "", [0]);
  const placed = (await instances()).filter(({ id }) => id.startsWith("mixed."));
  expect(placed.find(({ service }) => service === "api")?.machine).toBe("m3");
  expect(placed.find(({ service }) => service === "web")?.machine).toBeDefined();
  for (const i of [1, 2, 3]) await serves(i);
});

it("kill -9 of dockerd and its restart: the containers keep running, and requests are answered throughout", async () => {
  const before = await workload(2);
  const over = new AbortController();
  const load = cluster.lab.load(`http://${cluster.lab.addresses[1]}/`, {
    ...{ host: "www.example.test", rate: 50, seconds: 120, timeoutMs: 20_000, until: over.signal },
  });
  await sh(2, killDocker);
  await serves(2);
  await sh(2, startDocker);
  await serves(2);
  over.abort();
  const { sent, ok, failures } = await load;
  expect({ failures, ok }).toEqual({ failures: [], ok: sent });
  expect(sent).toBeGreaterThan(10);
  expect(await workload(2)).toBe(before);
});

it("a daemon that starts while Docker is down says so, and comes up by itself when Docker does", async () => {
  const before = await workload(2);
  const { pid } = await daemon(2);
  await sh(2, killDocker);
  await cluster.lab.sh(2, ["kill", "-9", String(pid)]);
  expect((await daemon(2, pid)).down?.code).toBe("docker_unavailable");
  await serves(2);
  await sh(2, startDocker);
  const up = await until("the member", async () => {
    const status = await cluster.json<Daemon>(2, ["daemon", "status"]);
    return status.down === undefined ? status : undefined;
  });
  expect(up.adoption.failed).toEqual([]);
  expect(up.adoption.adopted.length).toBe(before.split("\n").length);
  expect(await workload(2)).toBe(before);
});

it("a power cut of every machine: the containers are back with the same addresses, whoever starts first", async () => {
  const before = await addresses();
  for (const i of [1, 2, 3]) await cluster.lab.cut(i);
  await Promise.all([1, 2, 3].map((i) => cluster.lab.on(i)));
  await until("all instances", async () =>
    JSON.stringify(await addresses()) === JSON.stringify(before) ? true : undefined,
  );
  for (const i of [1, 2, 3]) await until(`the gateway of m${i}`, () => serves(i).then(() => true));
  // Packets between machines pass although the engine drops forwarded ones.
  expect(await sh(1, "iptables -S FORWARD | head -n 1")).toBe("-P FORWARD DROP");
  const there = (await instances()).find(({ machine, service }) => machine === "m2" && service === "web");
  await sh(
    1,
    `docker exec $(docker ps -q --filter label=ployz.runtime.identity | head -n 1) wget -qO- http://${there?.address}:8080/`,
  );
});

it("moves an image of 64 MiB between machines", async () => {
  await makeImage(cluster, 1, "big/web:v1", 64);
  const manifest = imageManifest({ image: "big/web:v1", replicas: 2, namespace: "big" }).replace(
    /^routes.*$/m,
    "",
  );
  const started = performance.now();
  await cluster.ctl(2, ["deploy", "-f", await cluster.put(2, manifest)]);
  console.log(
    `deploy with an image of 64 MiB to another machine: ${Math.round(performance.now() - started)} ms`,
  );
  const here =
    "docker inspect -f '{{.Id}}' $(docker inspect -f '{{.Image}}' $(docker ps -q --filter label=ployz.namespace=big))";
  expect(await sh(2, here)).toBe(await sh(1, here));
});

it("after leave, destroy and uninstall Docker is as it was on every machine", async () => {
  for (const i of [3, 2]) await cluster.ctl(i, ["mesh", "leave"]);
  await cluster.ctl(1, ["mesh", "destroy", "--yes"]);
  for (const i of [1, 2, 3]) {
    await cluster.ctl(i, ["daemon", "uninstall", "--purge"]);
    expect(await leftovers(cluster, i)).toEqual([]);
  }
});
