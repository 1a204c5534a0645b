import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle } from "../../src/cluster.ts";
import { within } from "../../src/survive.ts";

/** m1 and m2 are a cluster, whose store is on m1. m3 founds it again. m1 serves the repository. */
let cluster: Cluster;
const on = async (machine: number, script: string) =>
  (await cluster.lab.sh(machine, ["sh", "-c", script], { timeoutMs: 120_000 })).stdout;
const ctl = (machine: number, ...args: readonly string[]) => cluster.ctl(machine, args);

interface Schedules {
  readonly schedules: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly next?: string;
    readonly last?: { readonly state?: string; readonly machine: string; readonly endedAt?: string };
  }[];
}
interface Backups {
  readonly backups: readonly {
    readonly id: string;
    readonly namespace: string;
    readonly machine: string;
    readonly clusterId?: string;
  }[];
}
const schedule = async (name: string) =>
  (await cluster.json<Schedules>(2, ["schedule", "ls"])).schedules.find((one) => one.name === name);
const stores = async (machine: number) =>
  (await cluster.json<Backups>(machine, ["backup", "ls"])).backups.filter(
    ({ namespace }) => namespace === "-",
  );
/** Resolves with the schedule once it has run well. */
const ran = (name: string) =>
  within(`a run of ${name}`, 120_000, async () => {
    const found = await schedule(name);
    return found?.last?.state === "done" ? found : undefined;
  });

let key = "";
let known = "";
const secret = () =>
  `password=hidden-password\nssh_key=${key}\n${known
    .trim()
    .split("\n")
    .map((line) => `ssh_known_hosts=${line}\n`)
    .join("")}`;
const repository = async (machine: number) => {
  await cluster.ctl(machine, ["secret", "set", "ops/nas"], { input: secret() });
  return ctl(
    machine,
    "backup",
    "repository",
    "add",
    "nas",
    "sftp:root@m1:/srv/backups",
    "--secret",
    "ops/nas",
  );
};
const shop = () => `namespace = "shop"
[services.app]
bundle = "./web"
command = ["sh", "-c", "exec sleep 100000"]
files = { "/etc/secret" = { secret = "token" } }
`;

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, members: 2, installed: 3 });
  await on(1, "mkdir -p /srv/backups && ssh-keygen -q -t ed25519 -N '' -f /root/backups");
  await on(1, "cat /root/backups.pub >> /root/.ssh/authorized_keys");
  [key, known] = await Promise.all([on(1, "cat /root/backups"), on(1, "ssh-keyscan m1 2>/dev/null")]);
  await repository(1);
  await cluster.ctl(1, ["secret", "set", "shop/token"], { input: "kept-in-the-store" });
  await ctl(1, "deploy", "-f", await cluster.put(1, shop(), webBundle));
}, 600_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("runs its own schedules, whichever machine is asked, and the rule keeps two", async () => {
  await ctl(2, "schedule", "add", "store", "--run", "store-backup", "--every", "5s", "--keep-last", "2");
  await ctl(2, "schedule", "add", "tidy", "--run", "volume-prune", "--every", "5s");
  await ctl(2, "schedule", "add", "images", "--run", "image-prune", "--every", "5s");
  await Promise.all(["store", "tidy.prune", "images"].map(ran));
  expect(await schedule("tidy.prune")).toMatchObject({ namespace: "shop" });
  await within("two backups by m1", 120_000, async () => {
    const found = await stores(2);
    return found.length === 2 && found.every(({ machine }) => machine === "m1") ? true : undefined;
  });
  const first = await stores(1);
  await within("newer ones", 120_000, async () => {
    const now = await stores(1);
    return now.length === 2 && now.every(({ id }) => first.every((one) => one.id !== id)) ? true : undefined;
  });
  await ctl(1, "schedule", "pause", "store");
  expect(await schedule("store")).not.toHaveProperty("next");
  for (const name of ["images", "tidy"]) await ctl(1, "schedule", "rm", name, "-y");
  expect((await cluster.json<Schedules>(1, ["schedule", "ls"])).schedules.map(({ name }) => name)).toEqual([
    "store",
  ]);
});

it("brings the store with its secrets back where no machine of the cluster is left", async () => {
  await ctl(1, "store", "snapshot", "--repository", "nas");
  await ctl(3, "daemon", "install", "--runtime", "host");
  const clusterId = (await stores(1))[0]?.clusterId ?? "";
  const wrong = await cluster.ctl(3, ["mesh", "init", "other", "--id", clusterId], { ok: [2] });
  expect(wrong.stderr).toContain("--id: ");
  await ctl(3, "mesh", "init", "prod-cluster", "--id", clusterId);
  await repository(3);
  await ctl(3, "store", "restore", "--repository", "nas", "-y");
  // Instances of machines that are no members any more start here.
  await ctl(3, "deploy", "-f", await cluster.put(3, shop(), webBundle));
  expect(await on(3, "ployzctl exec shop/app -- cat /etc/secret")).toBe("kept-in-the-store");
  expect((await cluster.json<Schedules>(3, ["schedule", "ls"])).schedules).toMatchObject([
    { namespace: "-", name: "store", paused: {} },
  ]);
});
