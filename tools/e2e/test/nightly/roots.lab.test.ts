import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { type MadeImage, putImage } from "../../src/oci.ts";

/** Two machines of the process runtime with pools, and no Docker anywhere. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 2, volumes: true });
}, 900_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

const MIB = 2 ** 20;
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
/** In bytes. zfs-fuse lists no exact ones, but gets them. */
const space = async (i: number, place: string) => {
  const got = await sh(i, `zfs get -rHp -o name,property,value used,referenced,origin tank/ployz/${place}`);
  const found = new Map<string, Map<string, string>>();
  for (const [name = "", property = "", value = ""] of got.split("\n").map((line) => line.split("\t")))
    if (name !== `tank/ployz/${place}` && !name.includes("@"))
      found.set(name, (found.get(name) ?? new Map()).set(property, value));
  return [...found].map(([name, of]) => ({
    ...{ name, used: Number(of.get("used")), refer: Number(of.get("referenced")) },
    origin: of.get("origin") ?? "-",
  }));
};
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
    const whole = await space(i, "layers");
    const base = whole.find(({ origin }) => origin === "-");
    // What lies in the lowest layer is taken once, and seen in all above it and in the instance.
    expect(base?.used).toBeGreaterThan(MIB);
    for (const { name, used, refer } of [...whole, ...(await space(i, "roots"))]) {
      expect(refer, name).toBeGreaterThanOrEqual(base?.refer ?? 0);
      if (name !== base?.name) expect(used, name).toBeLessThan(MIB / 2);
    }
  }
});

it("an instance's root takes less than 0.1 s beyond its bare clone, and goes with it", async () => {
  const calls = "/root/zfs-calls";
  const recorder = `#!/bin/sh
from=$(date +%s%N); /sbin/zfs.own "$@"; code=$?
echo "$from $(date +%s%N) $*" >>${calls}
exit $code
`;
  await cluster.lab.sh(
    1,
    ["sh", "-c", "mv /sbin/zfs /sbin/zfs.own && cat >/sbin/zfs && chmod 755 /sbin/zfs"],
    {
      input: recorder,
    },
  );
  try {
    const beyond: number[] = [];
    for (let n = 1; n <= 5; n++) {
      await sh(1, `rm -f ${calls}`);
      const own = manifest("v2", 'constraints = { machines = ["m1"] }\n')
        .replace('"shop"', '"timed"')
        .replace("www.", "timed.")
        .replace("replicas = 2", "replicas = 1")
        .replace('"blue"', `"${n}"`);
      await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, own)]);
      const [root = ""] = (await datasets(1, "roots")).flatMap((line) => /roots\/timed\S+/.exec(line) ?? []);
      const made = (await sh(1, `cat ${calls}`))
        .split("\n")
        .map((line) => ({ times: line.split(" ").slice(0, 2).map(Number), line }))
        .filter(({ line }) => line.includes(root) && !/ destroy /.test(line));
      const clone = made.find(({ line }) => / clone /.test(line));
      if (clone === undefined)
        throw new Error(`no clone of ${root} in ${made.map(({ line }) => line).join("; ")}`);
      // From the first question about it to the mount's end.
      const mount = made.find(({ line }) => / mount /.test(line));
      const took = ([from = 0, to = 0]: readonly number[]) => (to - from) / 1e6;
      const span = took([made[0]?.times[0] ?? 0, (mount ?? clone).times[1] ?? 0]);
      beyond.push(Math.round(span - took(clone.times)));
      expect(await datasets(1, "roots")).toHaveLength(2); // the other service's, and only the newest of this one
    }
    console.log(`ms beyond the bare clone: ${beyond.join(", ")}`);
    expect(Math.min(...beyond)).toBeLessThan(100);
  } finally {
    await sh(1, "mv /sbin/zfs.own /sbin/zfs");
  }
  await cluster.ctl(1, ["namespace", "rm", "timed", "--yes"]);
  expect(await datasets(1, "roots")).toHaveLength(1);
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
  const own = await cluster.put(1, manifest("v2", 'constraints = { arch = "amd64" }\n'));
  expect((await cluster.ctl(1, ["deploy", "-n", "-f", own])).exitCode).toBe(0);
});

it("prune frees the bytes that image status names, layers too", async () => {
  const usage = async () =>
    (
      await cluster.json<{
        machines: readonly {
          machine: string;
          storeBytes: number;
          layerBytes: number;
          expiredBytes: number;
        }[];
      }>(2, ["image", "status"])
    ).machines.find(({ machine }) => machine === "m1");
  await push("unused");
  await cluster.ctl(2, ["image", "distribute", "shop/web:unused", "--to", "m1,m2"]);
  await sh(1, "printf '\\n[retention]\\nlast = 1\\ndays = 0\\n' >>/etc/ployz/config.toml");
  await cluster.ctl(1, ["daemon", "install"]);
  await push("named"); // a newer one of the name: the other is beyond the retention
  const before = await usage();
  expect(before?.expiredBytes).toBeGreaterThan(0);
  await cluster.ctl(2, ["image", "prune", "--yes"]);
  const after = await usage();
  const freed =
    (before?.storeBytes ?? 0) +
    (before?.layerBytes ?? 0) -
    (after?.storeBytes ?? 0) -
    (after?.layerBytes ?? 0);
  expect(after?.expiredBytes).toBe(0);
  // The pool counts blocks that several layers share to one of them.
  expect(Math.abs(freed - (before?.expiredBytes ?? 0))).toBeLessThan(MIB / 4);
});

it("nothing of it is left when its namespace is removed", async () => {
  await cluster.ctl(1, ["namespace", "rm", "shop", "--yes"]);
  for (const i of [1, 2]) {
    expect(await datasets(i, "roots")).toEqual([]);
    expect(await sh(i, "grep -c /var/lib/ployz/layers/roots /proc/self/mountinfo || true")).toBe("0");
  }
});
