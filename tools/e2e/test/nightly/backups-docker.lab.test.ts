import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { makeImage } from "../../src/docker.ts";

/** One machine with Docker and a pool, and a repository in a folder. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster({ machines: 1, docker: true, volumes: true });
  await makeImage(cluster, 1, "shop/db:v1");
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** Hooks see the container's own programs and variables, and the data that the service wrote. */
const MANIFEST = `namespace = "prod"
[services.db]
image = "shop/db:v1"
command = ["sh", "-c", "echo before > /data/rows; exec busybox sleep 100000"]
env = { WHO = "the-container" }
volumes = { data = "/data" }

[jobs.check]
image = "shop/db:v1"
command = ["sh", "-c", "busybox grep -qx before /data/rows && busybox grep -qx the-container /data/hooks && ! busybox grep -qx end /data/hooks"]
schedule = { cron = "0 0 1 1 *" }

[volumes.data.backup]
repository = "offsite"
cron = "0 0 1 1 *"
before = ["sh", "-c", "echo $WHO > /data/hooks"]
after = ["sh", "-c", "echo end >> /data/hooks"]
verify = { cron = "0 5 1 1 *", job = "check" }
`;

it("hooks run in the container, and a backup is verified by a container and restored", async () => {
  await cluster.ctl(1, ["secret", "set", "ops/offsite"], { input: "password=correct" });
  const repository = ["backup", "repository", "add", "offsite", "file:/srv/backups"];
  await cluster.ctl(1, [...repository, "--secret", "ops/offsite"]);
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, MANIFEST)], { timeoutMs: 240_000 });
  await cluster.ctl(1, ["schedule", "run", "prod/data.backup"], { timeoutMs: 240_000 });
  const hooks = async () =>
    (await cluster.ctl(1, ["exec", "prod/db", "--", "busybox", "cat", "/data/hooks"])).stdout;
  expect(await hooks()).toBe("the-container\nend\n");
  await cluster.ctl(1, ["schedule", "run", "prod/data.verify"], { timeoutMs: 240_000 });
  const { backups } = await cluster.json<{ readonly backups: readonly { readonly id: string }[] }>(1, [
    ...["backup", "ls", "prod"],
  ]);
  expect(backups).toHaveLength(1);
  const restore = ["backup", "restore", `prod/data@${backups[0]?.id}`, "--as", "copy/data"];
  await cluster.ctl(1, restore, { timeoutMs: 240_000 });
  const { volumes } = await cluster.json<{ readonly volumes: readonly { readonly id: string }[] }>(1, [
    ...["volume", "ls", "copy"],
  ]);
  const script = 'cat "$(zfs list -H -o mountpoint -r tank/ployz/volumes | grep "$1")/data/hooks"';
  const { stdout } = await cluster.lab.sh(1, ["sh", "-c", script, "sh", volumes[0]?.id ?? "none"]);
  expect(stdout).toBe("the-container\n");
});

it("a hook that fails in the container fails the backup, which is named, and `after` runs still", async () => {
  const broken = MANIFEST.replace("echo $WHO > /data/hooks", "exit 9");
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, broken)], { timeoutMs: 240_000 });
  const { stderr, stdout } = await cluster.ctl(1, ["schedule", "run", "prod/data.backup"], {
    ...{ ok: [1], timeoutMs: 240_000 },
  });
  expect(stdout + stderr).toContain("9");
  const { stdout: hooks } = await cluster.ctl(1, [
    ...["exec", "prod/db", "--", "busybox", "tail", "-n", "1", "/data/hooks"],
  ]);
  expect(hooks).toBe("end\n");
});
