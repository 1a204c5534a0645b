import { expect, test } from "vitest";
import { backupRepositoryRm } from "../backup-repository-rm/index.ts";
import { scheduleAdd } from "../schedule-add/index.ts";
import type { ScheduleAddInput } from "../schedule-add/input.ts";
import { scheduleRm } from "../schedule-rm/index.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import { backupWorld, REPOSITORY } from "../testing/scenarios/backup.ts";
import { apply, inspect, type World } from "../testing/scenarios/change.ts";
import { storeBackup } from "./index.ts";

const SHOP = `[services.db]
bundle = "./db"
command = ["db"]
volumes = { data = "/data" }
[volumes.data]
`;
const DAILY = { every: "24h" };

/** m2 holds the store. */
async function world(): Promise<World> {
  const made = await backupWorld(SHOP, { runs: 1 });
  const { facts } = made.ports.store;
  const m2 = await facts.get("machine.m2");
  if (m2 === undefined) throw new Error("the world has m2");
  await facts.put("machine.m2", { ...m2.value, store: true }, m2.revision);
  return made;
}
const left = ({ memory }: World) =>
  (memory.repositories.get(REPOSITORY) ?? []).map(({ backup }) => `${backup.namespace} ${backup.machine}`);

test("a machine of the store makes the backup, and a rule deletes older ones of the store only", async () => {
  const made = await world();
  const [volume] = left(made);
  const input = { keep: { last: 1 } };
  expect(await apply(made, storeBackup, input)).toMatchObject({
    state: "done",
    output: { machine: "m2", repository: "offsite", removed: 0 },
  });
  expect(await apply(made, storeBackup, input)).toMatchObject({ state: "done", output: { removed: 1 } });
  expect(left(made)).toEqual([volume, "- m2"]);
  const fact = await made.ports.store.facts.get("store-backup.cluster");
  expect(fact?.value).toMatchObject({ repository: "offsite", machine: "m2", bytes: 1_000 });
});

test("a backup without a store machine that reaches the repository is refused, and changes nothing", async () => {
  const made = await world();
  for (const machine of made.memory.all) machine.backups = { restic: true, problem: "repository_denied" };
  expect(await apply(made, storeBackup, {})).toMatchObject({ refusals: [{ code: "repository_denied" }] });
  for (const machine of made.memory.all) machine.backups = { restic: false };
  expect(await apply(made, storeBackup, {})).toMatchObject({
    refusals: [{ code: "backup_tool_missing", machine: "m2" }],
  });
  expect(await apply(made, storeBackup, { repository: "other" })).toMatchObject({
    refusals: [{ code: "no_such_repository" }],
  });
  expect(left(made)).toHaveLength(1);
});

test("a backup of the store survives every fault", { timeout: 400_000 }, async () => {
  // Copies stay in the repository, as backups of volumes do.
  const checked = { primitive: storeBackup, input: { keep: { last: 1 } }, world, inspect };
  const found = await checkPrimitive(checked, { every: 5 });
  expect(found).toEqual([]);
});

test("a schedule of the cluster is written once, changed by its name, and removed", async () => {
  const made = await world();
  const input = { name: "store", runs: "store-backup" as const, keep: { last: 3 }, schedule: DAILY };
  expect(await apply(made, scheduleAdd, input)).toMatchObject({
    changed: true,
    output: { repository: "offsite", when: { every: "24h" }, replaces: false },
  });
  expect(await apply(made, scheduleAdd, input)).toMatchObject({ changed: false });
  expect(await apply(made, scheduleAdd, { ...input, schedule: { every: "1h" } })).toMatchObject({
    changed: true,
    output: { replaces: true },
  });
  expect(await apply(made, backupRepositoryRm, { name: "offsite" }, "preview")).toMatchObject({
    warnings: ["scheduled backups of the store go to offsite, and fail without it"],
  });
  expect(await apply(made, scheduleRm, { name: "store" })).toMatchObject({ changed: true });
  expect(await apply(made, scheduleRm, { name: "store" })).toMatchObject({ changed: false });
  expect(await apply(made, scheduleRm, { name: "tidy" })).toMatchObject({
    refusals: [{ code: "no_such_schedule", hint: expect.stringContaining("deploy") }],
  });
  expect(await apply(made, scheduleAdd, input)).toMatchObject({ changed: true, output: { replaces: false } });
});

test.each([
  [{ runs: "image-prune", schedule: {} }, "schedule"],
  [{ runs: "image-prune", schedule: { ...DAILY, cron: "0 3 * * *" } }, "schedule"],
  [{ runs: "image-prune", schedule: { cron: "61 3 * * *" } }, "schedule.cron"],
  [{ runs: "image-prune", schedule: DAILY, repository: "offsite" }, "repository"],
  [{ runs: "volume-prune", schedule: DAILY, keep: { last: 1 } }, "keep"],
  [{ runs: "store-backup", schedule: DAILY, keep: { last: 0 } }, "keep"],
  [{ runs: "store-backup", schedule: { every: "10ms" } }, "schedule.every"],
  [{ runs: "deploy", schedule: DAILY }, "runs"],
])("%j is refused by its field %s", async (wrong, field) => {
  const parsed = scheduleAdd.parse({ name: "x", ...wrong } as ScheduleAddInput);
  expect(parsed).toMatchObject({ ok: false, refusals: [{ code: "invalid_input", details: { field } }] });
});
