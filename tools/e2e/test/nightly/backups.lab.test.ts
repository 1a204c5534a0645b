import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle } from "../../src/cluster.ts";
import { daemonUp, within } from "../../src/survive.ts";

/** One machine with a pool, and a repository in a folder. */
let cluster: Cluster;
/** The machine of the volume, by its number. */
let home = 1;
beforeAll(async () => {
  cluster = await openCluster({ machines: 1, volumes: true });
}, 600_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

interface Backups {
  readonly backups: readonly { readonly id: string; readonly volume: string }[];
}
interface Status {
  readonly volumes?: readonly {
    readonly volume: string;
    readonly backupAt?: string;
    readonly verifiedAt?: string;
  }[];
}
interface Volumes {
  readonly volumes: readonly { readonly id: string; readonly machine: string; readonly committed: boolean }[];
}

const MANIFEST = `namespace = "prod"
[services.db]
bundle = "./app"
command = ["sh", "-c", "echo before > /data/rows; exec sleep 100000"]
volumes = { data = "/data" }

[jobs.check]
bundle = "./app"
command = ["sh", "-c", "grep -qx before /data/rows && grep -qx begin /data/hooks && ! grep -qx end /data/hooks"]
schedule = { cron = "0 0 1 1 *" }

[volumes.data.backup]
repository = "offsite"
cron = "0 0 1 1 *"
keep = { last = 2 }
before = ["sh", "-c", "echo begin > /data/hooks"]
after = ["sh", "-c", "echo end > /data/hooks"]
verify = { cron = "0 5 1 1 *", job = "check" }
`;
const on = async (machine: number, script: string) =>
  (await cluster.lab.sh(machine, ["sh", "-c", script], { timeoutMs: 120_000 })).stdout;
const backups = async () => (await cluster.json<Backups>(1, ["backup", "ls", "prod"])).backups;
const setSecret = (password: string) =>
  on(1, `printf %s password=${password} | ployzctl secret set ops/offsite`);
const clones = async () =>
  (await on(home, "zfs list -H -o name -r tank/ployz/backup 2>/dev/null || true"))
    .split("\n")
    .filter((name) => name.startsWith("tank/ployz/backup/"));
const uncommitted = async () =>
  (await cluster.json<Volumes>(1, ["volume", "ls", "prod", "--all"])).volumes.filter((one) => !one.committed);

it("backups and verifications run by the schedules of the manifest, and status knows how old they are", async () => {
  await setSecret("correct");
  await cluster.ctl(1, [
    "backup",
    "repository",
    "add",
    "offsite",
    "file:/srv/backups",
    "--secret",
    "ops/offsite",
  ]);
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, MANIFEST, { app: webBundle.web })]);
  const { volumes } = await cluster.json<Volumes>(1, ["volume", "ls", "prod"]);
  home = Number(volumes[0]?.machine.slice(1));
  const listed = await cluster.ctl(1, ["schedule", "ls", "prod"]);
  expect(listed.stdout).toContain("prod/data.backup");
  expect(listed.stdout).toContain("prod/data.verify");
  for (let time = 0; time < 3; time++) await cluster.ctl(1, ["schedule", "run", "prod/data.backup"]);
  expect(await backups()).toHaveLength(2);
  await cluster.ctl(1, ["schedule", "run", "prod/data.verify"]);
  expect(await uncommitted()).toEqual([]);
  const { volumes: ages } = await cluster.json<Status>(1, ["status"]);
  expect(ages).toMatchObject([
    { volume: "data", backupAt: expect.any(String), verifiedAt: expect.any(String) },
  ]);
  expect((await cluster.ctl(1, ["status"])).stdout).toContain("VERIFIED");
  await cluster.ctl(1, ["backup", "prune", "prod", "--keep-last", "1", "--yes"]);
  expect(await backups()).toHaveLength(1);
}, 300_000);

it("a check that fails, and a wrong password, are failures that say so", async () => {
  const broken = MANIFEST.replace("grep -qx before", "grep -qx after");
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, broken, { app: webBundle.web })]);
  await cluster.ctl(1, ["backup", "verify", "prod/data", "--job", "check"], { ok: [1] });
  expect(await uncommitted()).toEqual([]);
  await setSecret("wrong");
  const refused = await cluster.ctl(1, ["backup", "run", "prod"], { ok: [3] });
  expect(`${refused.stdout}${refused.stderr}`).toContain("password");
  await setSecret("correct");
}, 300_000);

it("a daemon that is killed in a backup leaves nothing, and the next run succeeds", async () => {
  const [path] = (
    await on(
      home,
      "ls -d /var/lib/ployz/volumes/*/data 2>/dev/null || zfs list -H -o mountpoint -r tank/ployz/volumes | grep /prod.data",
    )
  )
    .trim()
    .split("\n");
  await on(
    home,
    `dd if=/dev/urandom of=${path?.replace(/\/data$/, "")}/data/large bs=1M count=96 2>/dev/null`,
  );
  const { pid } = await daemonUp(cluster, home);
  const other = 1;
  const running = cluster.ctl(other, ["backup", "run", "prod"], { ok: [0, 1, 3, 4, 5] });
  await within("restic runs", 60_000, async () => ((await clones()).length > 0 ? true : undefined));
  const second = await cluster.ctl(other, ["backup", "run", "prod"], { ok: [3] });
  expect(`${second.stdout}${second.stderr}`).toContain("still running");
  await on(home, `kill -9 ${pid}`);
  await running;
  await daemonUp(cluster, home, pid);
  await within("a run after it", 120_000, async () => {
    await cluster.ctl(other, ["backup", "run", "prod"]);
    return true;
  });
  expect(await clones()).toEqual([]);
  expect((await on(1, "ls /srv/backups/locks")).trim()).toBe("");
  await cluster.ctl(1, ["backup", "verify", "prod"]);
}, 400_000);

it("a namespace is restored from a run of its backups under another name, and its manifest deploys", async () => {
  const [newest] = (await backups()).slice(-1);
  const as = ["backup", "restore", `prod@${newest?.id}`, "--as", "copy"];
  await cluster.ctl(1, [...as, "-n"]);
  await cluster.ctl(1, ["volume", "ls", "copy"], { ok: [3] });
  for (let time = 0; time < 2; time++) await cluster.ctl(1, as);
  const { stdout } = await cluster.ctl(1, as);
  expect(stdout).toContain('namespace = "copy"');
  const manifest = stdout.slice(stdout.indexOf("namespace ="));
  await cluster.ctl(1, ["deploy", "--yes", "-f", await cluster.put(1, manifest)]);
  const { volumes } = await cluster.json<Volumes>(1, ["volume", "ls", "copy"]);
  expect(volumes).toMatchObject([{ committed: true }]);
  expect((await cluster.ctl(1, ["exec", "copy/db", "--", "ls", "-l", "/data"])).stdout).toContain("large");
}, 300_000);

it("a flipped bit in the repository fails the verification, which leaves no volume", async () => {
  await on(
    1,
    `f=$(find /srv/backups/data -type f -size +1M | head -1); at=$(($(stat -c %s "$f") / 2)); for f in $(find /srv/backups/data -type f -size +1M); do at=$(($(stat -c %s "$f") / 2)); byte=$(dd if="$f" bs=1 skip=$at count=1 2>/dev/null | od -An -tu1 | tr -d ' '); chmod u+w "$f"; printf "\\\\$(printf %03o $((byte ^ 1)))" | dd of="$f" bs=1 seek=$at conv=notrunc 2>/dev/null; done`,
  );
  const { stdout, stderr } = await cluster.ctl(1, ["--json", "backup", "verify", "prod"], { ok: [1] });
  expect(`${stdout}${stderr}`).toContain("backup_damaged");
  expect(await uncommitted()).toEqual([]);
}, 300_000);
