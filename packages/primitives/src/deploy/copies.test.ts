import { expect, test } from "vitest";
import { backupRepositoryRm } from "../backup-repository-rm/index.ts";
import { backupWorld } from "../testing/scenarios/backup.ts";
import { apply, headOf, manifestInput } from "../testing/scenarios/change.ts";
import { deployPrimitive } from "./index.ts";

const DB = `[services.db]
bundle = "./db"
command = ["db"]
volumes = { data = "/data" }
`;
const volume = (settings: string) => `${DB}[volumes.data]\n${settings}\n`;
const BACKED = volume(
  'backup = { repository = "offsite", cron = "0 3 * * *" }\nstandby = { machines = ["m1", "m2"] }',
);

test.each([
  [
    'standby = { machines = ["m9"] }',
    "machine_unknown",
    "volumes.data.standby.machines: no active machine is called m9",
  ],
  ['standby = { machines = ["m3"] }', "no_storage", "volumes.data: machine m3 has no ZFS for volumes"],
  [
    'backup = { repository = "offsit", cron = "0 3 * * *" }',
    "no_such_repository",
    "volumes.data.backup.repository: there is no repository offsit",
  ],
])("a deploy is refused with %s", async (settings, code, message) => {
  const world = await backupWorld(DB + "[volumes.data]\n", { runs: 0 });
  world.memory.machine("m3").storage = false;
  const deployed = await apply(world, deployPrimitive, manifestInput(volume(settings)));
  expect(deployed).toMatchObject({ refusals: [{ code, message }] });
});

test("a repository that is gone keeps no new version away", async () => {
  const world = await backupWorld(BACKED, { runs: 0 });
  const removing = { name: "offsite" };
  expect(await apply(world, backupRepositoryRm, removing, "preview")).toMatchObject({
    warnings: ["scheduled backups of prod/data go to offsite, and fail without it"],
  });
  await apply(world, backupRepositoryRm, removing);
  const next = manifestInput(BACKED.replace('["db"]', '["db", "2"]'));
  expect(await apply(world, deployPrimitive, next, "preview")).toMatchObject({
    warnings: ["volumes.data.backup.repository: there is no repository offsite"],
  });
  expect(await apply(world, deployPrimitive, next)).toMatchObject({ state: "done" });
  expect((await headOf(world)).services.db?.spec.command).toEqual(["db", "2"]);
});
