import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { within } from "../../src/survive.ts";

/** A member whose /var/lib/ployz is full: what runs there can still be stopped, drained and removed. */
let cluster: Cluster;

type Ps = { readonly instances: readonly { readonly machine: string; readonly state: string }[] };

const sh = async (script: string) => (await cluster.lab.sh(2, ["sh", "-c", script])).stdout.trim();
const fill = () =>
  sh('mount -o remount,size="$(df -k --output=used /var/lib/ployz | tail -1 | tr -d " ")"k /var/lib/ployz');
const free = () => sh("mount -o remount,size=2g /var/lib/ployz");
const deploy = async (manifest: string, ok: readonly number[] = [0]) =>
  cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest, webBundle)], { ok });
const ps = async () => (await cluster.json<Ps>(1, ["ps"])).instances;
const workloads = async () =>
  (await cluster.lab.sh(2, ["pgrep", "-f", "server.mjs"], { okExitCodes: [0, 1] })).stdout;

beforeAll(async () => {
  cluster = await openCluster({ machines: 2, members: 1 });
  await sh("mkdir -p /var/lib/ployz && mount -t tmpfs -o size=2g,mode=0755 tmpfs /var/lib/ployz");
  await cluster.ctl(1, [
    "machine",
    "add",
    "root@m2",
    "--identity",
    "/root/.ssh/id_ed25519",
    "--accept-new-host-key",
  ]);
  await deploy(webManifest({ replicas: 4 }));
  expect((await ps()).filter(({ machine }) => machine === "m2")).toHaveLength(2);
  await within("the reserve", 10_000, async () =>
    (await sh("stat -c %s /var/lib/ployz/.reserve")) === "" ? undefined : true,
  );
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("scales to none there", async () => {
  await fill();
  await deploy(webManifest({ replicas: 0 }));
  expect(await ps()).toEqual([]);
  expect(await workloads()).toBe("");
});

it("refuses what has no room with disk_full, and undoes it", async () => {
  await sh("rm /var/lib/ployz/.reserve");
  await fill();
  const { stdout, stderr } = await deploy(webManifest({ replicas: 4 }), [1, 3]);
  expect(stdout + stderr).toMatch(/no space left for \/var\/lib\/ployz\S*/);
  expect(await ps()).toEqual([]);
});

it("serves again when there is room, and removes a namespace when there is none", async () => {
  await free();
  await deploy(webManifest({ replicas: 4 }));
  await within("the gateway there follows", 30_000, async () =>
    (await cluster.get(2, "www.example.test")).status === 200 ? true : undefined,
  );
  await within("the reserve", 70_000, async () =>
    (await sh("stat -c %s /var/lib/ployz/.reserve")) === "" ? undefined : true,
  );
  await fill();
  await cluster.ctl(1, ["namespace", "rm", "prod", "--yes"]);
  expect(await workloads()).toBe("");
  await within("the gateway there forgets it", 30_000, async () =>
    (await cluster.get(2, "www.example.test")).status === 200 ? undefined : true,
  );
  await free();
});

it("names the store's full disk, and deploys again when there is room", async () => {
  await using alone = await openCluster({ machines: 1, smallDisk: true });
  const run = async (script: string) => alone.lab.sh(1, ["sh", "-c", script]);
  const deployed = async (version: string, ok: readonly number[]) =>
    alone.ctl(1, ["deploy", "-f", await alone.put(1, webManifest({ version, replicas: 1 }), webBundle)], {
      ok,
    });
  await deployed("v1", [0]);
  await run(
    `rm -f /var/lib/ployz/.reserve; ${'mount -o remount,size="$(df -k --output=used /var/lib/ployz | tail -1 | tr -d " ")"k /var/lib/ployz'}`,
  );
  const refused = await within("the store's disk is named", 120_000, async () => {
    const { stdout, stderr } = await deployed("v2", [1, 3, 4]);
    return /disk_full|no space left|takes no write/.test(stdout + stderr) ? stdout + stderr : undefined;
  });
  console.log(refused);
  expect((await alone.get(1, "www.example.test")).body).toContain("v1");
  await run("mount -o remount,size=2g /var/lib/ployz");
  await within("it deploys again", 120_000, async () => {
    const { exitCode } = await deployed("v3", [0, 1, 3, 4, 5]);
    return exitCode === 0 ? true : undefined;
  });
  expect((await alone.get(1, "www.example.test")).body).toContain("v3");
}, 600_000);
