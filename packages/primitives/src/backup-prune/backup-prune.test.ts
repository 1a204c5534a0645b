import { expect, test } from "vitest";
import type { Json } from "../model/json.ts";
import { checkPrimitive } from "../testing/harness/check.ts";
import { backupWorld, REPOSITORY } from "../testing/scenarios/backup.ts";
import { apply, inspect, type World } from "../testing/scenarios/change.ts";
import { backupPrune } from "./index.ts";

const SHOP = `[services.db]
bundle = "./db"
command = ["db"]
volumes = { data = "/data", log = "/log" }
[volumes.data]
[volumes.log]
`;
const world = (): Promise<World> => backupWorld(SHOP, { runs: 3 });
const left = ({ memory }: World) =>
  (memory.repositories.get(REPOSITORY) ?? []).map(({ backup }) => `${backup.cluster} ${backup.volume}`);

test("each volume keeps its newest, and other clusters and namespaces keep all", async () => {
  const made = await world();
  const all = made.memory.repositories.get(REPOSITORY) ?? [];
  const [first] = all;
  if (first === undefined) throw new Error("no backup");
  const { clusterId: _, ...unnoted } = first.backup;
  const newest = all.slice(4, 6).map(({ backup }) => backup.id);
  const others = [
    { ...first.backup, clusterId: "c2" },
    { ...first.backup, namespace: "shop" },
    // Before ids were noted, the name alone says whose it is.
    { ...unnoted, cluster: "elsewhere" },
    { ...unnoted, at: "2000-01-01T00:00:00.000Z" },
  ];
  for (const [at, backup] of others.entries())
    all.push({ ...first, backup: { ...backup, id: String(at).repeat(64) } });
  const done = await apply(made, backupPrune, { namespace: "prod", keep: { last: 1 } });
  expect(done).toMatchObject({ state: "done", output: { kept: 2 } });
  const { removed } = (done as { output: Json }).output as { removed: { volume: string }[] };
  expect(removed.map(({ volume }) => volume).sort()).toEqual(["data", "data", "data", "log", "log"]);
  const ids = ["0", "1", "2"].map((at) => at.repeat(64));
  expect((made.memory.repositories.get(REPOSITORY) ?? []).map(({ backup }) => backup.id)).toEqual([
    ...newest,
    ...ids,
  ]);
  expect(await apply(made, backupPrune, { namespace: "prod", keep: { last: 1 } })).toMatchObject({
    changed: false,
  });
});

test("a preview deletes nothing, and one volume leaves the others alone", async () => {
  const made = await world();
  const input = { namespace: "prod", volume: "log", keep: { daily: 1 } };
  expect(await apply(made, backupPrune, input, "preview")).toMatchObject({
    summary: { removed: [{ volume: "log" }, { volume: "log" }], kept: 1 },
  });
  expect(left(made)).toHaveLength(6);
  await apply(made, backupPrune, input);
  expect(left(made).filter((one) => one.endsWith("data"))).toHaveLength(3);
});

test("a rule that keeps nothing, an unknown name and an unusable repository are refused", async () => {
  const made = await world();
  expect(await apply(made, backupPrune, { namespace: "prod", keep: { daily: 0 } })).toMatchObject({
    refusals: [{ code: "invalid_input", details: { field: "keep" } }],
  });
  expect(await apply(made, backupPrune, { namespace: "shop", keep: { last: 1 } })).toMatchObject({
    refusals: [{ code: "no_such_backup" }],
  });
  for (const machine of made.memory.all) machine.backups = { restic: true, problem: "repository_denied" };
  expect(await apply(made, backupPrune, { namespace: "prod", keep: { last: 1 } })).toMatchObject({
    refusals: [{ code: "repository_denied" }],
  });
});

test("a prune survives every fault", { timeout: 400_000 }, async () => {
  const found = await checkPrimitive(
    {
      ...{ primitive: backupPrune, input: { namespace: "prod", keep: { last: 1 } }, world },
      inspect: async (made) => ({ state: await inspect(made), left: left(made) }),
    },
    { every: 5 },
  );
  expect(found).toEqual([]);
});
