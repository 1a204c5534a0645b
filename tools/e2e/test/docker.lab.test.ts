import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../src/cluster.ts";
import { imageManifest, makeImage } from "../src/docker.ts";
import { leftovers } from "../src/leftovers.ts";

/** Two machines with Docker, and images that exist on one of them only. */
let cluster: Cluster;

type Ps = {
  readonly instances: readonly {
    readonly id: string;
    readonly machine: string;
    readonly address: string;
    readonly state: string;
  }[];
};

const sh = async (i: number, script: string) => (await cluster.lab.sh(i, ["sh", "-c", script])).stdout.trim();
const instances = async () => (await cluster.json<Ps>(1, ["ps"])).instances;
const deploy = async (i: number, manifest: string, ok: readonly number[] = [0]) =>
  cluster.ctl(i, ["deploy", "-f", await cluster.put(i, manifest)], { ok });
const containers = (i: number) =>
  sh(i, "docker ps -a --format '{{.Names}} {{.State}}' --filter label=ployz.runtime.identity | sort");
/** Runs a command in the only running container of machine `i`. */
const inContainer = (i: number, command: string) =>
  sh(i, `docker exec $(docker ps -q --filter label=ployz.runtime.identity) ${command}`);

beforeAll(async () => {
  cluster = await openCluster({ machines: 2, docker: true, volumes: true });
  await makeImage(cluster, 2, "shop/web:v1");
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("an image that one machine has is moved to where it is needed, and every gateway serves its containers", async () => {
  await deploy(1, imageManifest({ image: "shop/web:v1", replicas: 2 }));
  const rows = await instances();
  expect(rows.map(({ machine, state }) => `${machine} ${state}`).sort()).toEqual([
    "m1 running",
    "m2 running",
  ]);
  for (const { id, machine, address } of rows) {
    const look = `docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' ${id}`;
    expect(await sh(Number(machine.slice(1)), look)).toBe(address);
  }
  for (const i of [1, 2]) {
    expect(await cluster.get(i, "www.example.test")).toMatchObject({
      status: 200,
      body: expect.stringContaining("v1 web-"),
    });
  }
});

it.each([
  ["fails", ["/bin/busybox", "false"], /exit code 1/],
  ["is missing", ["/nope"], /nope/],
  ["may not be executed", ["/etc/image"], /\/etc\/image/],
  ["ends without a newline", ["/bin/sh", "-c", "printf 'FATAL x' >&2; exit 7"], /exit code 7[\s\S]*FATAL x/],
])("a program that %s is never ready: exit 1, and the old version serves", async (_, command, why) => {
  const manifest = imageManifest({ image: "shop/web:v1", replicas: 2, command, version: "v2" });
  const { stdout, stderr } = await deploy(1, manifest.replace(/^ready.*$/m, ""), [1]);
  expect(stdout + stderr).toMatch(why);
  expect((await cluster.get(1, "www.example.test")).body).toContain("v1 web-");
});

it("containers find each other by plain name and keep their addresses across machines", async () => {
  for (const i of [1, 2]) {
    const found = await inContainer(i, "nslookup web");
    for (const { address } of await instances()) expect(found).toContain(address);
  }
  const rows = await instances();
  const address = (machine: string) => rows.find((row) => row.machine === machine)?.address ?? "";
  expect(await inContainer(1, `wget -qO- http://${address("m2")}:8080/`)).toContain(address("m2"));
  // The server logs who asked: the container itself, not its machine.
  expect(await sh(2, "docker logs $(docker ps -q --filter label=ployz.runtime.identity) 2>&1")).toContain(
    `${address("m1")}]:`,
  );
});

it("v2 replaces v1, and nothing of v1 stays", async () => {
  await makeImage(cluster, 1, "shop/web:v2");
  await deploy(2, imageManifest({ image: "shop/web:v2", version: "v2", replicas: 2 }));
  for (const i of [1, 2]) {
    expect((await cluster.get(i, "www.example.test")).body).toContain("v2 web-");
    expect((await containers(i)).split("\n")).toEqual([
      expect.stringMatching(/^shop\.web\.\d\.\w+ running$/),
    ]);
  }
});

it("a service that cannot run is refused or undone, with the reason, and v2 stays", async () => {
  const before = [await containers(1), await containers(2)];
  const missing = await deploy(1, imageManifest({ image: "shop/web:v9" }), [3]);
  expect(missing.stderr).toContain("shop/web:v9");
  expect(missing.stderr).toContain("m1, m2: not there");

  const crashing = imageManifest({
    image: "shop/web:v2",
    version: "v3",
    first: "echo cannot find the flux capacitor >&2; exit 7",
    replicas: 2,
  });
  const crashed = await deploy(2, crashing, [1]);
  expect(crashed.stderr).toContain("ended with exit code 7");
  expect(crashed.stderr).toContain("cannot find the flux capacitor");

  const nowhere = await deploy(2, imageManifest({ image: "shop/web:v2", command: ["/bin/nope"] }), [1]);
  expect(nowhere.stderr).toContain("/bin/nope");

  expect([await containers(1), await containers(2)]).toEqual(before);
  expect((await cluster.get(1, "www.example.test")).body).toContain("v2 web-");
});

it("a container's volume survives its successor, forks, and goes along to another machine", async () => {
  const write = "mkdir -p /data; echo started >>/data/log; cp /data/log /tmp/log";
  const manifest = (version: string) =>
    `${imageManifest({
      image: "shop/web:v1",
      version,
      replicas: 1,
      namespace: "files",
      first: `${write}; mkdir -p /tmp/www; cp /data/log /tmp/www/log`,
      extra: 'volumes = { log = "/data" }\n[volumes.log]\nquota = "64M"\n',
    })}`.replace("www.example.test", "files.example.test");
  const lines = async (host = "files.example.test") =>
    (await cluster.get(1, host, "/log")).body.trim().split("\n").length;
  await deploy(1, manifest("v1"));
  expect(await lines()).toBe(1);
  await deploy(2, manifest("v2"));
  expect(await lines()).toBe(2);
  const machine = (await instances()).find(({ id }) => id.startsWith("files."))?.machine;
  const other = machine === "m1" ? "m2" : "m1";
  await cluster.ctl(1, ["branch", "apply", "files", "pr-1", "--volume-mode", "branch"]);
  await cluster.ctl(2, ["migrate", "apply", "files/web", "--to", other]);
  expect(await lines()).toBe(3);
  expect(await lines("pr-1--files.example.test")).toBe(3);
  for (const namespace of ["pr-1", "files"]) await cluster.ctl(1, ["namespace", "rm", namespace, "--yes"]);
  expect((await instances()).filter(({ id }) => !id.startsWith("shop."))).toEqual([]);
});

it("after leave, destroy and uninstall Docker is as it was", async () => {
  await cluster.ctl(2, ["mesh", "leave"]);
  await cluster.ctl(1, ["mesh", "destroy", "--yes"]);
  for (const i of [1, 2]) {
    await cluster.ctl(i, ["daemon", "uninstall", "--purge"]);
    expect(await leftovers(cluster, i)).toEqual([]);
  }
});
