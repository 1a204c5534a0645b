import { expect, test } from "vitest";
import { backupRepositoryAdd } from "../backup-repository-add/index.ts";
import { backupRestore } from "../backup-restore/index.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import { apply, deploy, emptyWorld, headOf, inspect, type World } from "../testing/scenarios/change.ts";
import { backupRun } from "./index.ts";

const SHOP = `[services.db]
bundle = "./db"
command = ["db"]
volumes = { data = "/data", log = "/log" }
[volumes.data]
quota = "1G"
[volumes.log]
`;
const URL = "file:/srv/backups";

async function secret(world: World): Promise<void> {
  const value = { namespace: "ops", name: "offsite", version: "1", at: "", by: "" };
  await world.ports.store.facts.put("secret.ops.offsite", value, 0);
}
async function world(): Promise<World> {
  const made = await emptyWorld();
  await secret(made);
  expect(await deploy(made, SHOP)).toMatchObject({ state: "done" });
  const added = await apply(made, backupRepositoryAdd, { name: "offsite", url: URL, secret: "ops/offsite" });
  expect(added).toMatchObject({ state: "done" });
  return made;
}
async function snapshots(made: World): Promise<number> {
  const { volumes } = await headOf(made);
  return volumes.reduce(
    (sum, { machine, id }) => sum + (made.memory.machine(machine).volumes.get(id)?.snapshots.size ?? 0),
    0,
  );
}
const idsOf = (outcome: unknown): readonly string[] =>
  (outcome as { output: { volumes: { backup: string }[] } }).output.volumes.map(({ backup }) => backup);

test("all volumes of a namespace are backed up, and their snapshots go", async () => {
  const made = await world();
  const done = await apply(made, backupRun, { namespace: "prod" });
  expect(done).toMatchObject({
    state: "done",
    output: {
      volumes: [
        { name: "data", bytes: 1_000 },
        { name: "log", bytes: 1_000 },
      ],
    },
  });
  expect(await snapshots(made)).toBe(0);
  const fact = await made.ports.store.facts.get("backup-run.prod");
  expect(Object.keys(fact?.value.volumes ?? {})).toEqual(["data", "log"]);
});

test("one volume that is backed up leaves what the cluster knows of the others", async () => {
  const made = await world();
  await apply(made, backupRun, { namespace: "prod" });
  await apply(made, backupRun, { namespace: "prod", volume: "log" });
  const { data, log } = (await made.ports.store.facts.get("backup-run.prod"))?.value.volumes ?? {};
  expect(data?.backup).not.toBe(log?.backup);
  expect(Date.parse(log?.at ?? "")).toBeGreaterThanOrEqual(Date.parse(data?.at ?? ""));
});

test("a plan refuses unknown names, a machine without restic, and a repository that it cannot use", async () => {
  const made = await world();
  expect(await apply(made, backupRun, { namespace: "shop" })).toMatchObject({
    refusals: [{ code: "no_such_namespace" }],
  });
  expect(await apply(made, backupRun, { namespace: "prod", volume: "dta" })).toMatchObject({
    refusals: [{ code: "no_such_volume" }],
  });
  expect(await apply(made, backupRun, { namespace: "prod", repository: "nas" })).toMatchObject({
    refusals: [{ code: "no_such_repository" }],
  });
  const [volume] = (await headOf(made)).volumes;
  const machine = made.memory.machine(volume?.machine ?? "");
  machine.backups = { restic: false };
  expect(await apply(made, backupRun, { namespace: "prod" }, "preview")).toMatchObject({
    refusals: [{ code: "backup_tool_missing", machine: machine.id, hint: expect.stringContaining("restic") }],
  });
  machine.backups = { restic: true, problem: "repository_denied" };
  expect(await apply(made, backupRun, { namespace: "prod" })).toMatchObject({
    refusals: [{ code: "repository_denied", machine: machine.id }],
  });
});

test("a repository with several names to choose from is not guessed", async () => {
  const made = await world();
  await apply(made, backupRepositoryAdd, { name: "nas", url: "file:/srv/nas", secret: "ops/offsite" });
  expect(await apply(made, backupRun, { namespace: "prod" })).toMatchObject({
    refusals: [{ code: "invalid_input", details: { field: "repository" } }],
  });
});

test("a URL that is no place for backups, or has a password in it, is refused by its field", async () => {
  const made = await world();
  for (const url of [
    "ftp://host/path",
    "file:relative",
    "file:/srv/../etc",
    "rest:http://me:secret@host/",
    "sftp://me:secret@host/path",
    "s3:https://me:secret@host/bucket",
    "-o evil",
    "",
  ])
    expect(
      await apply(made, backupRepositoryAdd, { name: "x", url, secret: "ops/offsite" }),
      url,
    ).toMatchObject({ refusals: [{ code: "invalid_input", details: { field: "url" } }] });
  for (const url of [
    "s3:s3.example.com/bucket/path",
    "s3:http://10.0.0.1:9000/bucket",
    "s3://bucket/path",
    "sftp://backup@nas.example.com:22//srv/ployz",
    "sftp:backup@nas:/srv/ployz",
    "rest:https://host:8000/",
    "file:/srv/backups",
    "rclone:remote:path",
  ])
    expect(
      await apply(made, backupRepositoryAdd, { name: "x", url, secret: "ops/offsite" }, "preview"),
      url,
    ).not.toHaveProperty("refusals");
});

test("a name that has another URL is not taken, and a secret must be set", async () => {
  const made = await world();
  const again = { name: "offsite", url: URL, secret: "ops/offsite" };
  expect(await apply(made, backupRepositoryAdd, again)).toMatchObject({ changed: false });
  expect(await apply(made, backupRepositoryAdd, { ...again, url: "file:/srv/nas" })).toMatchObject({
    refusals: [{ code: "repository_exists" }],
  });
  expect(await apply(made, backupRepositoryAdd, { ...again, name: "x", secret: "ops/none" })).toMatchObject({
    refusals: [{ code: "secret_missing", details: { field: "secret" } }],
  });
});

test("a restore makes a volume with the data of the backup, and never overwrites one", async () => {
  const made = await world();
  const [backup = ""] = idsOf(await apply(made, backupRun, { namespace: "prod" }));
  const input = { namespace: "prod", volume: "data", backup, target: { namespace: "check", volume: "data" } };
  expect(await apply(made, backupRestore, input)).toMatchObject({ state: "done" });
  const [restored] = (await headOf(made, "check")).volumes;
  const [source] = (await headOf(made)).volumes;
  const content = (volume = source) =>
    made.memory.machine(volume?.machine ?? "").volumes.get(volume?.id ?? "")?.content;
  expect(content(restored)).toEqual(content(source));
  expect(restored).toMatchObject({
    spec: { quotaBytes: 2 ** 30 },
    origin: { namespace: "prod", volume: "data" },
  });
  expect(await apply(made, backupRestore, input)).toMatchObject({ state: "done", changed: false });
  expect(
    await apply(made, backupRestore, { ...input, target: { namespace: "prod", volume: "log" } }),
  ).toMatchObject({
    refusals: [{ code: "volume_exists" }],
  });
  expect(await apply(made, backupRestore, { ...input, volume: "log" })).toMatchObject({
    refusals: [{ code: "no_such_backup" }],
  });
});

test("a backup survives every fault", { timeout: 400_000 }, async () => {
  const found = await checkPrimitive(
    {
      ...{ primitive: backupRun, input: { namespace: "prod" }, world },
      inspect: async (made) => ({ state: await inspect(made), snapshots: await snapshots(made) }),
    },
    { every: 3 },
  );
  expect(found).toEqual([]);
});

test("a restore survives every fault", { timeout: 400_000 }, async () => {
  let backup = "";
  const found = await checkPrimitive(
    {
      primitive: backupRestore,
      input: {
        namespace: "prod",
        volume: "data",
        backup: "01j00000",
        target: { namespace: "check", volume: "data" },
      },
      world: async () => {
        const made = await world();
        [backup = ""] = idsOf(await apply(made, backupRun, { namespace: "prod", volume: "data" }));
        return made;
      },
      inspect,
    },
    { every: 3 },
  );
  expect(found).toEqual([]);
  expect(backup.startsWith("01j00000")).toBe(true);
});
