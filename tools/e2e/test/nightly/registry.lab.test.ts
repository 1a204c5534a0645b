import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { imageManifest, makeImage } from "../../src/docker.ts";
import { type ImageRegistry, LOGIN, openRegistry } from "../../src/registry.ts";

/** Three machines with Docker, a private registry with TLS and logins, and one of plain HTTP. */
let cluster: Cluster;
let registry: ImageRegistry;
let plain: ImageRegistry;

const sh = async (i: number, script: string, input = "") =>
  (await cluster.lab.sh(i, ["sh", "-c", script], { timeoutMs: 120_000, input })).stdout.trim();
const login = (password: string, ok: readonly number[] = [0]) =>
  cluster.ctl(1, ["registry", "login", registry.host, "-u", LOGIN.username, "--password-stdin", "--json"], {
    ...{ input: `${password}\n`, ok },
  });
const web = (tag: string) => `${registry.host}/shop/web:${tag}`;
/** The outcome of a preview as a whole: codes and messages stand in it. */
const preview = async (image: string) => {
  const path = await cluster.put(2, imageManifest({ image, replicas: 3 }));
  return cluster.ctl(2, ["deploy", "-f", path, "-n", "--json"], { ok: [0, 3, 4] });
};
const configure = async (text: string) => {
  for (const i of [1, 2, 3]) {
    await sh(i, "cat >>/etc/ployz/config.toml", text);
    await cluster.ctl(i, ["daemon", "install"]);
  }
};

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, docker: true });
  registry = await openRegistry(cluster.lab, { port: 5000, tls: true });
  plain = await openRegistry(cluster.lab, { port: 5001, tls: false, data: registry.data });
  await makeImage(cluster, 1, web("v1"), 5);
}, 900_000);
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await plain?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

it("an unknown CA, a missing login and a wrong password are three refusals of the plan", async () => {
  const image = web("v2");
  expect((await preview(image)).stdout).toMatch(/self-signed certificate/);
  for (const i of [1, 2, 3]) {
    const dir = `/etc/docker/certs.d/${registry.host}`;
    await sh(i, `mkdir -p ${dir} && cat >${dir}/ca.crt`, registry.ca);
  }
  const denied = await preview(image);
  expect(denied.stdout).toContain("registry_denied");
  expect(denied.stdout).toContain(`ployzctl registry login ${registry.host}`);
  expect((await login("wrong", [3])).stdout).toContain("registry_denied");
  const right = await login(LOGIN.password);
  expect(JSON.parse(right.stdout)).toMatchObject({ verified: true });
  const missing = await preview(image);
  expect(missing.exitCode).toBe(3);
  expect(missing.stdout).toContain("image_missing");
});

it("one machine pulls each blob from the registry, the others get it from that one", async () => {
  await sh(
    1,
    `docker login ${registry.host} -u ${LOGIN.username} --password-stdin && docker push -q ${web("v1")} && docker tag ${web("v1")} ${web("copy")} && docker rmi ${web("v1")}`,
    LOGIN.password,
  );
  const before = registry.served().length;
  await cluster.ctl(2, ["image", "pull", web("v1"), "--to", "m1,m2,m3"]);
  const blobs = registry
    .served()
    .slice(before)
    .filter((path) => path.includes("/blobs/"));
  // The configuration once more, for the architecture in the plan.
  const counts = new Map<string, number>();
  for (const path of blobs) counts.set(path, (counts.get(path) ?? 0) + 1);
  expect([...counts.values()].sort()).toEqual([1, 2]);
  for (const i of [2, 3])
    expect(await sh(i, `docker run --rm ${web("v1")} /bin/cat /etc/image`)).toBe(web("v1"));
});

it("a deploy keeps the digest of its plan when the tag moves, and takes the new meaning when it is pulled", async () => {
  const path = await cluster.put(2, imageManifest({ image: web("v1") }));
  await cluster.ctl(2, ["deploy", "-f", path]);
  await makeImage(cluster, 1, web("v1"), 1);
  await sh(1, `docker push -q ${web("v1")}; docker rmi ${web("v1")}`);
  const again = await cluster.json<{ changed: boolean }>(2, ["deploy", "-f", path]);
  expect(again.changed).toBe(false);
  const pulled = await cluster.json<{ output: { digest: string } }>(3, [
    "image",
    "pull",
    web("v1"),
    "--to",
    "m3",
  ]);
  const next = await cluster.json<{ changed: boolean }>(2, ["deploy", "-f", path]);
  expect(next.changed).toBe(true);
  const { images } = await cluster.json<{ images: readonly { digest: string; users: readonly string[] }[] }>(
    1,
    ["image", "ls"],
  );
  expect(images.find(({ digest }) => digest === pulled.output.digest)?.users).not.toEqual([]);
});

it("a registry of plain HTTP works where the configuration says so, and as a mirror", async () => {
  const [direct, mirrored] = [`${plain.host}/shop/web:v1`, "mirrored.test/shop/web:v1"];
  expect((await preview(direct)).stdout).toContain("registry_unreachable");
  expect((await preview(mirrored)).stdout).toContain("registry_unreachable");
  await configure(
    `\n[registries."${plain.host}"]\ninsecure = true\n[registries."mirrored.test"]\nmirrors = ["${plain.host}"]\n`,
  );
  for (const image of [direct, mirrored]) {
    await cluster.ctl(1, ["image", "pull", image, "--to", "m2"]);
    expect(await sh(2, `docker run --rm ${image} /bin/cat /etc/image`)).toBe(web("v1"));
  }
});

it("what a build takes from the registry comes with the credentials of Docker's own helper on that machine", async () => {
  await sh(
    3,
    `mkdir -p /root/src && printf 'FROM ${web("v1")}\nCOPY new /new\n' >/root/src/Dockerfile && echo built >/root/src/new; docker rmi -f ${web("v1")} || true`,
  );
  // A machine without credentials of Docker's: those of the cluster are not the builder's.
  const build = ["build", "/root/src", "-t", "helped:v1", "--push", "--json"];
  const denied = await cluster.ctl(3, build, { ok: [3] });
  expect(denied.stdout).toContain("build_failed");
  const helper = `#!/bin/sh
case $1 in
  list) echo '{"${registry.host}":"${LOGIN.username}"}' ;;
  get) cat >/root/helper-asked; echo '{"ServerURL":"${registry.host}","Username":"${LOGIN.username}","Secret":"${LOGIN.password}"}' ;;
esac
`;
  await sh(
    3,
    "cat >/usr/local/bin/docker-credential-lab && chmod 755 /usr/local/bin/docker-credential-lab",
    helper,
  );
  await sh(3, `mkdir -p /root/.docker && echo '{"credsStore":"lab"}' >/root/.docker/config.json`);
  const built = await cluster.ctl(3, build, { timeoutMs: 180_000 });
  expect(built.exitCode).toBe(0);
  expect(await sh(3, "cat /root/helper-asked")).toContain(registry.host);
  expect(await sh(3, "docker run --rm helped:v1 /bin/cat /new")).toBe("built");
  for (const i of [1, 2, 3])
    expect(
      await sh(i, `grep -rlF '${LOGIN.password}' /var/lib/ployz /var/log/ployz 2>/dev/null || true`),
    ).toBe("");
});

it("operations on images have their own list", async () => {
  const { operations } = await cluster.json<{ operations: readonly { primitive: string }[] }>(1, [
    "image",
    "operation",
    "ls",
  ]);
  expect(new Set(operations.map(({ primitive }) => primitive))).toEqual(new Set(["image-distribute"]));
});
