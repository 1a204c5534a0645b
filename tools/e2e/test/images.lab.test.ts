import { signalProcess } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../src/cluster.ts";
import { imageManifest, makeImage } from "../src/docker.ts";
import { daemonOf } from "../src/kill.ts";

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

it("what a commit within the retention, a running instance or a name needs stays; prune and rm remove the rest, also from Docker", async () => {
  const v1 = await named("shop/web:v2");
  const used = (await images()).find(({ users }) => users.includes("shop/web"));
  const shown = await cluster.json<{
    layers: readonly unknown[];
    platform: string;
    users: readonly string[];
  }>(3, ["image", "inspect", used?.digest ?? ""]);
  expect(shown).toMatchObject({ platform: expect.stringMatching(/^linux\//), users: ["shop/web"] });
  const refused = await cluster.ctl(2, ["image", "rm", used?.digest ?? "", "--yes", "--json"], { ok: [3] });
  expect(refused.stdout).toContain("image_in_use");
  // Nothing is beyond the retention of a week.
  expect(await cluster.json<{ changes: boolean }>(1, ["image", "prune", "-n"])).toMatchObject({
    changes: false,
  });
  expect(await cluster.json<{ changed: boolean }>(1, ["image", "prune"])).toMatchObject({ changed: false });
  const preview = await cluster.json<{ summary: { machines: readonly { removed: readonly string[] }[] } }>(
    2,
    [...["image", "prune", "--all", "-n"]],
  );
  expect(preview.summary.machines.map(({ removed }) => removed)).toEqual(
    [1, 2, 3].map(() => ["shop/web:v2"]),
  );
  await cluster.ctl(2, ["image", "prune", "--all", "--yes"]);
  expect(await named("shop/web:v2")).toBeUndefined();
  expect((await images()).map(({ digest }) => digest)).toEqual([used?.digest]);
  const hex = v1?.digest.slice(7) ?? "none";
  for (const i of [1, 2, 3])
    expect(await sh(i, `ls /var/lib/ployz/images/blobs/sha256 | grep -c ${hex} || true`)).toBe("0");
  // m1 has built it: Docker keeps it there.
  expect(await sh(1, "docker image inspect -f x shop/web:v2")).toBe("x");
  for (const i of [2, 3]) expect(await sh(i, "docker images -q shop/web:v2")).toBe("");
  expect((await cluster.get(3, "www.example.test")).status).toBe(200);
  const status = await cluster.json<{ machines: readonly { expiredBytes: number; engineBytes: number }[] }>(
    1,
    ["image", "status", "--all"],
  );
  expect(status.machines.map(({ expiredBytes }) => expiredBytes)).toEqual([0, 0, 0]);
});

it("a manifest's build is built here, pushed and pinned by its digest; without a build it is refused", async () => {
  const file = await cluster.put(
    1,
    imageManifest({ image: "x", namespace: "built", replicas: 1 })
      .replace('image    = "x"', 'build = { context = "src", args = { SAYS = "hello" } }')
      .replace("www.example.test", "built.example.test"),
  );
  const folder = file.replace(/\/[^/]*$/, "");
  await sh(
    1,
    `mkdir -p ${folder}/src && cd ${folder}/src && cp /bin/busybox . && printf '%s\n' 'FROM scratch' 'COPY busybox /bin/busybox' 'RUN ["/bin/busybox", "--install", "-s", "/bin"]' 'ARG SAYS' 'RUN mkdir -p /tmp /etc && echo $SAYS >/etc/says' >Dockerfile`,
  );
  const early = await cluster.ctl(1, ["deploy", "-f", file, "--no-build", "--json"], { ok: [3] });
  expect(early.stdout).toContain("image_missing");
  const { stderr } = await cluster.ctl(1, ["deploy", "-f", file], { timeoutMs: 180_000 });
  expect(stderr).toMatch(/building built\/web:build with docker/);
  expect((await cluster.get(2, "built.example.test")).status).toBe(200);
  const { digest = "" } = (await named("built/web:build")) ?? {};
  const shown = await cluster.ctl(2, ["show", "built", "--manifest"]);
  expect(shown.stdout).toContain(`built/web@${digest}`);
  const says = await cluster.ctl(1, ["exec", "built/web", "--", "/bin/cat", "/etc/says"]);
  expect(says.stdout.trim()).toBe("hello");
  const again = await cluster.json<{ changed: boolean }>(1, ["deploy", "-f", file, "--no-build"]);
  expect(again.changed).toBe(false);
  const made = await cluster.json<{ builder: string }>(1, ["build", `${folder}/src`, "-t", "app:v1"]);
  expect(made.builder).toMatch(/^docker/);
  expect(await sh(1, "docker image inspect -f x app:v1")).toBe("x");
  expect((await cluster.ctl(1, ["build", "/nowhere", "-t", "app:v1"], { ok: [2] })).stderr).toContain("PATH");
  await sh(1, `echo 'RUN /bin/false' >>${folder}/src/Dockerfile`);
  const failed = await cluster.ctl(1, ["build", `${folder}/src`, "-t", "app:v2", "--json"], { ok: [3] });
  expect(failed.stdout).toContain("build_failed");
  await cluster.ctl(3, ["namespace", "rm", "built", "--yes"]);
});

it("prune beside pushes and deploys removes nothing that they use, and a kill in the middle leaves no damage", async () => {
  const stop = new AbortController();
  const pruning = (async () => {
    for (let n = 0; !stop.signal.aborted; n++)
      await cluster.ctl(2 + (n % 2), ["image", "prune", "--all", "--yes"], { ok: [0, 3, 4, 5] });
  })();
  for (const version of ["v3", "v4"]) {
    await makeImage(cluster, 1, `shop/web:${version}`, 8);
    const { digest } = await cluster.json<{ digest: string }>(1, ["image", "push", `shop/web:${version}`]);
    const manifest = await cluster.put(1, imageManifest({ image: `shop/web:${version}`, version }));
    // A prune may come between push and deploy; m1's own Docker still has the image then.
    await cluster.ctl(1, ["deploy", "-f", manifest], { timeoutMs: 180_000 });
    expect((await cluster.get(2, "www.example.test")).body).toContain(version);
    expect(digest).toMatch(/^sha256:/);
    if (version === "v3") await signalProcess(await daemonOf(cluster, 2), "SIGKILL");
  }
  stop.abort();
  await pruning;
  for (const i of [1, 2, 3]) {
    const store = await sh(i, CHECK_BLOBS);
    expect(store).toBe("");
  }
  expect((await cluster.get(3, "www.example.test")).body).toContain("v4");
});

/** Names of blobs whose content has another digest, and of unfinished files. */
const CHECK_BLOBS = `cd /var/lib/ployz/images; for f in blobs/sha256/*; do
[ "$(sha256sum <$f | cut -d' ' -f1)" = "\${f##*/}" ] || echo $f; done; ls ingest | grep new- || true`;
