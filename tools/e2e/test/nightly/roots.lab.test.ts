import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { type MadeImage, putImage } from "../../src/oci.ts";

/** Two machines of the process runtime with pools, and no Docker anywhere. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 2, volumes: true });
}, 900_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

const SERVER = [
  "echo serving >&2; mkdir -p /srv/www",
  'echo "$(cat /etc/version) $(id -u):$(id -g) $(pwd) $COLOUR $EXTRA" >/srv/www/index.html',
  "exec httpd -f -p 8080 -h /srv/www",
].join("; ");

const web = (version: string): MadeImage => ({
  ref: `shop/web:${version}`,
  layers: [
    {
      "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nweb:x:1234:1235:web:/srv:/bin/sh\n",
      "etc/group": "root:x:0:\nweb:x:1235:\n",
      "etc/shadow": "image-shadow\n",
    },
    { "etc/version": version, "srv/www/keep": "kept" },
  ],
  program: {
    ...{ Entrypoint: ["/bin/sh", "-c"], Cmd: [SERVER], Env: ["COLOUR=red", "EXTRA=none"] },
    ...{ WorkingDir: "/srv", StopSignal: "SIGINT", Volumes: { "/scratch": {} } },
  },
});

const manifest = (version: string, more = "") => `namespace = "shop"
[services.web]
image    = "shop/web:${version}"
env      = { EXTRA = "blue" }
replicas = 2
ports    = { http = 8080 }
routes   = [{ host = "www.example.test", port = "http" }]
ready    = { http = "/", port = "http", timeout = "30s" }
drain    = "0s"
${more}`;

const sh = async (i: number, script: string) =>
  (await cluster.lab.sh(i, ["sh", "-c", script], { timeoutMs: 120_000 })).stdout.trim();
const datasets = async (i: number, place: string) =>
  (await sh(i, `zfs list -rH -o name,origin,refer tank/ployz/${place} | tail -n +2`))
    .split("\n")
    .filter(Boolean);
const inside = async (script: string) =>
  (await cluster.ctl(1, ["exec", "shop/web", "--", "/bin/sh", "-c", script])).stdout.trim();

async function push(version: string) {
  await cluster.ctl(1, ["image", "push", "--archive", await putImage(cluster, 1, web(version))]);
}

it("an image runs on machines without Docker, as it says itself, and sees nothing of them", async () => {
  await push("v1");
  await cluster.ctl(2, ["deploy", "-f", await cluster.put(2, manifest("v1"))]);
  const answers = await Promise.all([1, 2].map((i) => cluster.get(i, "www.example.test")));
  for (const { body } of answers) expect(body.trim()).toBe("v1 0:0 /srv red blue");
  expect(await inside("cat /etc/shadow; ls /srv/www; ls -d /scratch /tmp")).toBe(
    "image-shadow\nindex.html\nkeep\n/scratch\n/tmp",
  );
  expect(await inside("ls /; ls /var/lib/ployz /usr 2>/dev/null; true")).not.toMatch(/boot|home|usr|ployz/);
  expect(await inside("cat /etc/resolv.conf")).toContain("shop.cluster.local");
  for (const i of [1, 2]) {
    expect(await datasets(i, "layers")).toHaveLength(3);
    expect(await datasets(i, "roots")).toHaveLength(1);
  }
});

it("a new version adds its own layer only, and an instance's files go with it", async () => {
  await inside("echo mine >/srv/www/mine");
  await push("v2");
  const stop = 'user = "web"\nstop_signal = "SIGTERM"\nworking_dir = "/tmp"\n';
  const denied = await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest("v2", stop))], {
    ok: [1],
  });
  expect(`${denied.stdout}${denied.stderr}`).toMatch(/denied/i); // /srv/www is root's in the image
  const own = manifest(
    "v2",
    `${stop}entrypoint = ["/bin/sh"]\ncommand = ["-c", ${JSON.stringify(SERVER.replaceAll("/srv/www", "/tmp/www"))}]\n`,
  );
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, own)]);
  expect((await cluster.get(2, "www.example.test")).body.trim()).toBe("v2 1234:1235 /tmp red blue");
  expect(await inside("ls /srv/www")).toBe("keep");
  for (const i of [1, 2]) {
    const layers = await datasets(i, "layers");
    expect(layers).toHaveLength(4);
    const origins = layers.map((line) => line.split("\t")[1]);
    expect(new Set(origins).size).toBe(3); // both versions are clones of one layer
    expect(await datasets(i, "roots")).toHaveLength(1);
  }
});

it("its instances outlive the daemon, and run again with their files after a power cut", async () => {
  await sh(2, "kill -9 $(pidof ployzd) 2>/dev/null || true; ployzctl daemon stop; ployzctl daemon start");
  expect((await cluster.get(1, "www.example.test")).status).toBe(200);
  const before = await datasets(2, "roots");
  await cluster.lab.cut(2);
  await cluster.lab.on(2);
  await expect
    .poll(async () => (await cluster.get(2, "www.example.test").catch(() => ({ status: 0 }))).status, {
      timeout: 60_000,
    })
    .toBe(200);
  expect((await datasets(2, "roots")).map((line) => line.split("\t")[0])).toEqual(
    before.map((line) => line.split("\t")[0]),
  );
});

it("an image of another architecture is refused in the plan, naming both", async () => {
  const arm = { ...web("arm"), architecture: "arm64" };
  await cluster.ctl(1, ["image", "push", "--archive", await putImage(cluster, 1, arm)]);
  const other = await cluster.ctl(1, ["deploy", "-n", "-f", await cluster.put(1, manifest("arm"))], {
    ok: [3],
  });
  expect(`${other.stdout}${other.stderr}`).toMatch(/is amd64, and the image is for arm64/);
  const path = await cluster.put(1, manifest("v2", 'constraints = { arch = "arm64" }\n'));
  const refused = await cluster.ctl(1, ["deploy", "-n", "-f", path], { ok: [3] });
  expect(`${refused.stdout}${refused.stderr}`).toMatch(/is amd64, not arm64/);
});

it("nothing of it is left when its namespace is removed", async () => {
  await cluster.ctl(1, ["namespace", "rm", "shop", "--yes"]);
  for (const i of [1, 2]) {
    expect(await datasets(i, "roots")).toEqual([]);
    expect(await sh(i, "grep -c /var/lib/ployz/layers/roots /proc/self/mountinfo || true")).toBe("0");
  }
});
