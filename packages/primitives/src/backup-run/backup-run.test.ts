import { expect, test } from "vitest";
import { backupRepositoryAdd } from "../backup-repository-add/index.ts";
import { backupRestore } from "../backup-restore/index.ts";
import { branch } from "../branch/index.ts";
import { parseManifest } from "../manifest/parse.ts";
import { renderManifest } from "../manifest/render.ts";
import { scheduleEntries } from "../schedule/entries.ts";
import { stop } from "../services/index.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import { backupWorld, REPOSITORY } from "../testing/scenarios/backup.ts";
import { apply, deploy, headOf, inspect, type World } from "../testing/scenarios/change.ts";
import { backupRun } from "./index.ts";

const SHOP = `[services.db]
bundle = "./db"
command = ["db"]
volumes = { data = "/data", log = "/log" }
[volumes.data]
quota = "1G"
[volumes.log]
`;
const world = (): Promise<World> => backupWorld(SHOP, { runs: 0 });
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

test("a new volume does not count backups of an earlier one of its name", async () => {
  const made = await world();
  await apply(made, backupRun, { namespace: "prod" });
  const facts = made.ports.store.facts;
  const before = await facts.get("backup-run.prod");
  const { data, log } = before?.value.volumes ?? {};
  if (before === undefined || data === undefined || log === undefined) throw new Error("no backups");
  expect([data.id, data.since]).toEqual([(await headOf(made)).volumes[0]?.id, undefined]);
  const volumes = { log, data: { ...data, id: "prod.data.gone" } };
  await facts.put("backup-run.prod", { ...before.value, volumes }, before.revision);
  await apply(made, backupRun, { namespace: "prod" });
  const after = (await facts.get("backup-run.prod"))?.value.volumes ?? {};
  expect(after.data).toMatchObject({ id: data.id, since: after.data?.at });
  expect(after.log?.since).toBeUndefined();
  await apply(made, backupRun, { namespace: "prod" });
  expect((await facts.get("backup-run.prod"))?.value.volumes.data?.since).toBe(after.data?.at);
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

test("a name that has another REPOSITORY is not taken, and a secret must be set", async () => {
  const made = await world();
  const again = { name: "offsite", url: REPOSITORY, secret: "ops/offsite" };
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

const SCHEDULED = `[services.db]
bundle = "./db"
command = ["db"]
volumes = { data = "/data", log = "/log", tmp = "/tmp-data" }
[volumes.data]
backup = { repository = "offsite", cron = "30 2 * * *", keep = { last = 2 }, before = ["begin", "now"], after = ["end"] }
[volumes.log]
backup = { repository = "offsite", cron = "30 2 * * *" }
[volumes.tmp]
backup = { repository = "offsite", every = "1h", verify = { cron = "0 5 * * 0" } }
`;
const scheduled = { namespace: "prod", volume: "data", repository: "offsite", scheduled: true };
const hooks = ({ memory }: World) => memory.all.flatMap((machine) => machine.hooks);

test("the manifest makes schedules, which a branch does not have", async () => {
  const made = await world();
  expect(await deploy(made, SCHEDULED)).toMatchObject({ state: "done" });
  const entries = scheduleEntries(await headOf(made));
  expect(entries.map(({ name }) => name)).toEqual(["data.backup", "log.backup", "tmp.backup", "tmp.verify"]);
  expect(entries[0]?.asked("2026-03-02T02:30:00.000Z")).toEqual({
    primitive: "backup-run",
    input: { ...scheduled, tick: "2026-03-02T02:30:00.000Z" },
  });
  expect(await apply(made, branch, { source: "prod", target: "pr-1" })).toMatchObject({ state: "done" });
  expect(scheduleEntries(await headOf(made, "pr-1"))).toEqual([]);
});

test("volumes with one schedule are of one instant, within the programs before and after, and the rule deletes older ones", async () => {
  const made = await world();
  await deploy(made, SCHEDULED);
  const before = await snapshots(made);
  for (const tick of [2, 3, 4].map((day) => `2026-03-0${day}T02:30:00.000Z`)) {
    const done = await apply(made, backupRun, { ...scheduled, tick });
    expect(done).toMatchObject({ state: "done", output: { volumes: [{ name: "data" }, { name: "log" }] } });
    // The run of the other volume at this tick has nothing left to do.
    expect(await apply(made, backupRun, { ...scheduled, volume: "log", tick })).toMatchObject({
      changed: false,
    });
  }
  expect(hooks(made)).toEqual(["begin now", "end", "begin now", "end", "begin now", "end"]);
  const all = (made.memory.repositories.get(REPOSITORY) ?? []).map(({ backup }) => backup.volume);
  expect(all.sort()).toEqual(["data", "data", "log", "log", "log"]);
  expect(await snapshots(made)).toBe(before);
  // By hand, the rule deletes nothing.
  await apply(made, backupRun, { namespace: "prod", volume: "data" });
  expect(made.memory.repositories.get(REPOSITORY)).toHaveLength(6);
});

test("a failing program before the snapshot fails the backup, and the one after it runs all the same", async () => {
  const made = await world();
  await deploy(made, SCHEDULED.replace('["begin", "now"]', '["false"]'));
  const before = await snapshots(made);
  expect(await apply(made, backupRun, scheduled)).toMatchObject({
    state: "failed",
    error: { code: "hook_failed" },
  });
  expect(hooks(made)).toEqual(["false", "end"]);
  expect(made.memory.repositories.get(REPOSITORY)).toEqual([]);
  expect(await snapshots(made)).toBe(before);
});

test("without an instance the programs are left out, and the plan says so", async () => {
  const made = await world();
  await deploy(made, SCHEDULED);
  await apply(made, stop, { namespace: "prod", services: ["db"] });
  expect(await apply(made, backupRun, scheduled, "preview")).toMatchObject({
    warnings: [expect.stringContaining("data")],
  });
  expect(await apply(made, backupRun, scheduled)).toMatchObject({ state: "done" });
  expect(hooks(made)).toEqual([]);
});

test("a manifest's backup is checked and printed as it was written", () => {
  const backup = (text: string) =>
    parseManifest(`namespace = "prod"\n${SCHEDULED}[volumes.x]\nbackup = ${text}`, "toml");
  for (const [text, field] of [
    ['{ repository = "offsite" }', "volumes.x.backup"],
    ['{ repository = "offsite", every = "1h", keep = { last = 0 } }', "volumes.x.backup.keep"],
    [
      '{ repository = "offsite", every = "1h", verify = { every = "1h", job = "check" } }',
      "volumes.x.backup.verify.job",
    ],
    ['{ repository = "offsite", every = "1h", timeout = "2h" }', "volumes.x.backup.timeout"],
    ['{ repository = "Off", every = "1h" }', "volumes.x.backup.repository"],
    ['{ repository = "offsite", every = "1h", before = [] }', "volumes.x.backup.before"],
  ] as const)
    expect(backup(text), text).toMatchObject({ refusals: [{ code: "invalid_input", details: { field } }] });
  expect(backup('{ repository = "offsite", every = "1h", timeout = "5m", after = ["end"] }')).toMatchObject({
    ok: true,
  });
});

test("a manifest is rendered with its backups", async () => {
  const made = await world();
  await deploy(made, SCHEDULED);
  const text = renderManifest(await headOf(made));
  const again = parseManifest(text, "toml");
  expect(again).toMatchObject({
    manifest: {
      volumes: {
        data: {
          backup: {
            repository: "offsite",
            cron: "30 2 * * *",
            keep: { last: 2 },
            before: ["begin", "now"],
            after: ["end"],
          },
        },
        tmp: { backup: { every: "1h", verify: { cron: "0 5 * * 0" } } },
      },
    },
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
