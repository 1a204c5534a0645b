import { copyFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { imageDamage } from "../../src/image-content.ts";
import { makeLayout, saveLayout } from "../../src/layout.ts";
import { payloadBefore } from "../../src/older-payload.ts";

/** m2 has the version before machines followed each other's transfers; m1 and m3 have today's. */
const OLDER = 2;
let cluster: Cluster;
const build = async (i: number) =>
  (await cluster.json<{ daemon: { build: string } }>(i, ["version"])).daemon.build;

beforeAll(async () => {
  await using older = await payloadBefore("docs/adr/0085-targets-follow-each-other.md");
  cluster = await openCluster({ machines: 4 });
  const { machines } = await cluster.lab.info();
  await copyFile(older.tarball, `/proc/${machines[OLDER - 1]?.init}/root/root/older.tar.gz`);
  const install = "cd /root && tar -xzf older.tar.gz && ployz/install.sh >&2 && rm -r ployz older.tar.gz";
  await cluster.lab.sh(OLDER, ["sh", "-ec", install], { timeoutMs: 60_000 });
  await cluster.ctl(OLDER, ["daemon", "install"]);
  expect(await build(OLDER)).not.toBe(await build(1));
  expect(await build(3)).toBe(await build(1));
}, 900_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

async function pushed(i: number, name: string) {
  await using layout = await makeLayout({
    layers: [{ script: "head -c 5000000 /dev/urandom >noise" }, { script: `echo ${name} >name` }],
    program: { Entrypoint: ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/"] },
  });
  await saveLayout(cluster.lab, i, layout, name, "/root/image.tar");
  await cluster.ctl(i, ["image", "push", name, "--archive", "/root/image.tar"]);
  return layout.digest;
}

it.each([
  ["from today's to the older and today's, asked at today's", 1, 3],
  ["from today's to the older and today's, asked at the older", 1, OLDER],
  ["from the older to today's, asked at today's", OLDER, 1],
  ["from the older to today's, asked at the older", OLDER, OLDER],
])("an image goes %s", async (_, from, at) => {
  const name = `shop/web:from${from}-at${at}`;
  const digest = await pushed(from, name);
  const { output } = await cluster.json<{ output: { digest: string } }>(at, [
    ...["image", "distribute", name, "--all"],
  ]);
  expect(output.digest).toBe(digest);
  const { images } = await cluster.json<{
    images: readonly { names: readonly string[]; machines: readonly string[] }[];
  }>(1, ["image", "ls"]);
  expect(images.find(({ names }) => names.includes(name))?.machines).toEqual(["m1", "m2", "m3", "m4"]);
  for (const i of [1, 2, 3, 4]) expect(await imageDamage(cluster, i)).toEqual([]);
});

it.each([1, OLDER])("a deploy at m%i runs an image on both, which one machine had", async (at) => {
  const name = `shop/web:deployed${at}`;
  await pushed(at === 1 ? OLDER : 1, name);
  const manifest = `namespace = "shop"
[services.web]
image = "${name}"
replicas = 4
ports = { http = 8080 }
routes = [{ host = "www.example.test", port = "http" }]
ready = { http = "/name", port = "http", timeout = "30s" }
drain = "0s"
`;
  await cluster.ctl(at, ["deploy", "-f", await cluster.put(at, manifest)], { timeoutMs: 180_000 });
  for (const i of [1, 2, 3, 4])
    expect((await cluster.get(i, "www.example.test", "/name")).body.trim()).toBe(name);
  const { instances } = await cluster.json<{ instances: readonly { machine: string }[] }>(1, ["ps", "shop"]);
  expect(instances.map(({ machine }) => machine).sort()).toEqual(["m1", "m2", "m3", "m4"]);
});

it("status names the difference, and the update ends it", async () => {
  const { warnings } = await cluster.json<{ warnings: readonly { code: string }[] }>(1, ["status"]);
  expect(warnings.map(({ code }) => code)).toContain("versions_differ");
  await cluster.ctl(1, ["machine", "update"], { timeoutMs: 300_000 });
  expect(await build(OLDER)).toBe(await build(1));
  expect((await cluster.get(OLDER, "www.example.test", "/name")).status).toBe(200);
});
