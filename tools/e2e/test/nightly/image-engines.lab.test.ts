import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { imageManifest, makeImage } from "../../src/docker.ts";
import { newerEngine } from "../../src/newer-engine.ts";
import { type ImageRegistry, LOGIN, openRegistry } from "../../src/registry.ts";

/** m1 and m3 have Docker 20.10; m2 has a newer one, whose images are in containerd's store and have other ids. */
const NEWER = 2;
let cluster: Cluster;
let registry: ImageRegistry;

type Row = {
  readonly digest: string;
  readonly names: readonly string[];
  readonly machines: readonly string[];
};

const sh = async (i: number, script: string, input = "") =>
  (await cluster.lab.sh(i, ["sh", "-c", script], { timeoutMs: 120_000, input })).stdout.trim();
const rows = async (name: string) =>
  (await cluster.json<{ images: readonly Row[] }>(3, ["image", "ls"])).images.filter(({ names }) =>
    names.includes(name),
  );
const push = async (i: number, name: string) =>
  (await cluster.json<{ digest: string }>(i, ["image", "push", name])).digest;
const runs = (i: number, name: string) => sh(i, `docker run --rm ${name} /bin/cat /etc/image`);

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, docker: true, members: 0, installed: 3 });
  const version = await newerEngine(cluster.lab, [NEWER]);
  console.log(`m1 and m3: Docker ${await sh(1, "docker version -f '{{.Server.Version}}'")}, m2: ${version}`);
  expect(Number(version.split(".")[0])).toBeGreaterThanOrEqual(26);
  await cluster.ctl(1, ["daemon", "install", "--runtime", "docker"]);
  await cluster.ctl(1, ["mesh", "init", "engines"]);
  const key = ["--identity", "/root/.ssh/id_ed25519", "--accept-new-host-key"];
  for (const i of [2, 3])
    await cluster.ctl(1, ["machine", "add", `root@m${i}`, ...key], { timeoutMs: 180_000 });
  registry = await openRegistry(cluster.lab, { port: 5000, tls: true });
  for (const i of [1, 2, 3]) {
    const dir = `/etc/docker/certs.d/${registry.host}`;
    await sh(i, `mkdir -p ${dir} && cat >${dir}/ca.crt`, registry.ca);
  }
}, 900_000);
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

it.each([
  ["the older engine", 1, "shop/old:v1"],
  ["the newer engine", NEWER, "shop/new:v1"],
])(
  "an image of %s travels to all and keeps one digest, also when another engine pushes it",
  async (_, from, name) => {
    await makeImage(cluster, from, name, 5);
    const digest = await push(from, name);
    await cluster.ctl(3, ["image", "distribute", name, "--all"]);
    for (const i of [1, 2, 3]) expect(await runs(i, name)).toBe(name);
    expect(await rows(name)).toMatchObject([{ digest, machines: ["m1", "m2", "m3"] }]);
    for (const i of [1, 2, 3]) expect(await push(i, name)).toBe(digest);
  },
);

it("a version that is built on one kind and pushed costs the other its new layer only", async () => {
  for (const [from, name] of [
    [NEWER, "shop/old"],
    [1, "shop/new"],
  ] as const) {
    const dir = await sh(
      from,
      `d=$(mktemp -d); printf 'FROM ${name}:v1\\nCOPY new /new\\n' >$d/Dockerfile; echo 2 >$d/new; echo $d`,
    );
    await cluster.ctl(from, ["build", dir, "-t", `${name}:v2`, "--push"], { timeoutMs: 180_000 });
    const moved = await cluster.json<{ output: { transferredBytes: number } }>(1, [
      ...["image", "distribute", `${name}:v2`, "--all"],
    ]);
    expect(moved.output.transferredBytes, name).toBeLessThan(40_000);
    for (const i of [1, 2, 3]) expect(await sh(i, `docker run --rm ${name}:v2 /bin/cat /new`)).toBe("2");
  }
});

it("a pull from a registry gives all the same digest", async () => {
  await makeImage(cluster, NEWER, "made:v1", 2);
  const name = `${registry.host}/shop/pulled:v1`;
  await sh(
    NEWER,
    `docker login ${registry.host} -u ${LOGIN.username} --password-stdin && docker tag made:v1 ${name} && docker push -q ${name} && docker rmi -f ${name} made:v1`,
    LOGIN.password,
  );
  await cluster.ctl(1, ["registry", "login", registry.host, "-u", LOGIN.username, "--password-stdin"], {
    input: `${LOGIN.password}\n`,
  });
  const { output } = await cluster.json<{ output: { digest: string } }>(3, ["image", "pull", name, "--all"]);
  expect(await rows(name)).toMatchObject([{ digest: output.digest, machines: ["m1", "m2", "m3"] }]);
  for (const i of [1, 2, 3]) expect(await runs(i, name)).toBe("made:v1");
});

it("one manifest runs on both: deployed, changed, executed in, restarted, and seen through each gateway", async () => {
  for (const [name, version] of [
    ["shop/new:v1", "v1"],
    ["shop/old:v2", "v2"],
  ] as const) {
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, imageManifest({ image: name, version }))]);
    const { instances } = await cluster.json<{ instances: readonly { machine: string; image?: string }[] }>(
      2,
      ["ps", "shop"],
    );
    expect(instances.map(({ machine }) => machine).sort()).toEqual(["m1", "m2", "m3"]);
    for (const i of [1, 2, 3])
      expect((await cluster.get(i, "www.example.test")).body).toMatch(new RegExp(`^${version} `));
  }
  for (const i of [1, 2, 3]) {
    const inside = await cluster.ctl(1, ["exec", `shop/web.${i}`, "--", "/bin/cat", "/new"], { ok: [0] });
    expect(inside.stdout.trim()).toBe("2");
  }
  await cluster.ctl(3, ["restart", "shop/web"]);
  expect((await cluster.get(2, "www.example.test")).status).toBe(200);
  expect((await cluster.ctl(1, ["logs", "shop/web"])).stdout).toContain("v2 starting on");
});

it("unused images go from both engines, and those that a rollback may need stay", async () => {
  const before = await rows("shop/old:v2");
  await cluster.ctl(2, ["rollback", "shop"]);
  await cluster.ctl(2, ["image", "prune", "--all", "--yes"]);
  expect(await rows(`${registry.host}/shop/pulled:v1`)).toEqual([]);
  for (const i of [1, 2, 3]) expect(await sh(i, `docker images -q ${registry.host}/shop/pulled:v1`)).toBe("");
  expect(await rows("shop/old:v2")).toEqual(before); // a rollback may need it
  await cluster.ctl(1, ["namespace", "rm", "shop", "--yes"]);
  for (const i of [1, 2, 3]) expect(await sh(i, "docker ps -aq --filter label=ployz")).toBe("");
});
