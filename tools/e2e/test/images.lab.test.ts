import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../src/cluster.ts";
import { imageManifest, makeImage } from "../src/docker.ts";

/** Three machines with Docker and no registry; images are built on m1 only. */
let cluster: Cluster;

type Row = {
  readonly digest: string;
  readonly names: readonly string[];
  readonly sizeBytes: number;
  readonly machines: readonly string[];
  readonly users: readonly string[];
};
type Moved = { readonly output: { readonly digest: string; readonly transferredBytes: number } };

const sh = async (i: number, script: string) =>
  (await cluster.lab.sh(i, ["sh", "-c", script], { timeoutMs: 120_000 })).stdout.trim();
const images = async () => (await cluster.json<{ images: readonly Row[] }>(2, ["image", "ls"])).images;
const named = async (name: string) => (await images()).find(({ names }) => names.includes(name));

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, docker: true });
  await makeImage(cluster, 1, "shop/web:v1", 20);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("an image of the local Docker is pushed once, and distributed to engines that then run it by its name", async () => {
  const pushed = await cluster.json<{ digest: string; sizeBytes: number }>(1, [
    "image",
    "push",
    "shop/web:v1",
  ]);
  expect(await named("shop/web:v1")).toMatchObject({ digest: pushed.digest, machines: ["m1"], users: [] });
  const moved = await cluster.json<Moved>(2, ["image", "distribute", "shop/web:v1", "--to", "m2,m3"]);
  expect(moved.output.digest).toBe(pushed.digest);
  // Both targets got all of it, and nothing else; the manifest comes beside its content.
  expect(moved.output.transferredBytes).toBe(2 * pushed.sizeBytes);
  for (const i of [2, 3])
    expect(await sh(i, "docker run --rm shop/web:v1 /bin/cat /etc/image")).toBe("shop/web:v1");
  const again = await cluster.json<{ changed: boolean }>(3, ["image", "distribute", "shop/web:v1", "--all"]);
  expect(again.changed).toBe(false);
});

it("a version that adds a small layer costs that layer", async () => {
  await sh(
    1,
    "d=$(mktemp -d); printf 'FROM shop/web:v1\\nCOPY new /new\\n' >$d/Dockerfile; echo 2 >$d/new; docker build -q -t shop/web:v2 $d",
  );
  await cluster.ctl(1, ["image", "push", "shop/web:v2"]);
  const moved = await cluster.json<Moved>(1, ["image", "distribute", "shop/web:v2", "--to", "m2,m3"]);
  expect(moved.output.transferredBytes).toBeLessThan(20_000);
  expect(await sh(3, "docker run --rm shop/web:v2 /bin/cat /new")).toBe("2");
});

it("a deploy finds a pushed name, and keeps its digest when the tag is gone everywhere", async () => {
  await cluster.ctl(2, ["deploy", "-f", await cluster.put(2, imageManifest({ image: "shop/web:v1" }))]);
  const { digest = "" } = (await named("shop/web:v1")) ?? {};
  expect(await named("shop/web:v1")).toMatchObject({ users: ["shop/web"] });
  for (const i of [1, 2, 3]) await sh(i, "docker tag shop/web:v2 shop/web:v1");
  await cluster.ctl(3, ["deploy", "service", "web", "--namespace", "shop", "-e", "X=1"]);
  const head = await cluster.json<{ commit: { services: { web: { spec: { image: { digest: string } } } } } }>(
    1,
    ["show", "shop"],
  );
  expect(JSON.stringify(head)).toContain(digest);
});

it("an image that is nowhere is refused by name, and an unreachable registry is another error", async () => {
  const gone = await cluster.ctl(1, ["image", "distribute", "shop/web:v9", "--all"], { ok: [3] });
  expect(gone.stderr).toContain("shop/web:v9");
  const far = await cluster.ctl(1, ["image", "pull", "registry.test/web:v1", "--all", "--json"], { ok: [3] });
  expect(`${far.stdout}${far.stderr}`).toContain("registry_unreachable");
});

it("credentials of a registry are kept for every machine and never shown", async () => {
  const login = ["registry", "login", "registry.test:5000", "-u", "bot", "--password-stdin"];
  const set = await cluster.json<{ verified: boolean }>(1, login, { input: "s3cret-marker\n" });
  expect(set.verified).toBe(false);
  const list = await cluster.ctl(3, ["registry", "ls", "--json"]);
  expect(list.stdout).toContain("registry.test:5000");
  for (const i of [1, 2, 3]) {
    expect((await cluster.ctl(i, ["secret", "ls", "--json"])).stdout).not.toContain("registr");
    expect(await sh(i, "grep -rl s3cret-marker /var/lib/ployz /var/log /etc/ployz 2>/dev/null || true")).toBe(
      "",
    );
  }
  await cluster.ctl(2, ["registry", "logout", "registry.test:5000"]);
  expect((await cluster.ctl(1, ["registry", "ls", "--json"])).stdout).not.toContain("registry.test");
});
