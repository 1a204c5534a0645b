import { expect, test } from "vitest";
import { checkPrimitive } from "../testing/harness/check.ts";
import type { MemoryClusterOptions } from "../testing/memory-cluster.ts";
import { backupWorld, REPOSITORY } from "../testing/scenarios/backup.ts";
import { apply, deploy, inspect, type World } from "../testing/scenarios/change.ts";
import { backupVerify } from "./index.ts";

const SHOP = `[services.db]
bundle = "./db"
command = ["db"]
volumes = { data = "/var/lib/db", log = "/log" }
[jobs.check]
bundle = "./db"
command = ["check"]
schedule = { every = "24h" }
[volumes.data]
quota = "1G"
[volumes.log]
`;
const world = (behaviour?: MemoryClusterOptions["behaviour"]): Promise<World> =>
  backupWorld(SHOP, { runs: 1, ...(behaviour !== undefined && { behaviour }) });
const left = ({ memory }: World) =>
  memory.all.flatMap(({ id, volumes, instances }) => [
    ...[...volumes.keys()].map((volume) => `${id} ${volume}`),
    ...[...instances.values()].map(({ start }) => `${id} ${start.id}`),
  ]);

test("all volumes of a namespace are restored, compared and gone again, and count as verified", async () => {
  const made = await world();
  const before = left(made);
  expect(await apply(made, backupVerify, { namespace: "prod", allData: true })).toMatchObject({
    state: "done",
    output: { volumes: [{ name: "data", files: 1, bytes: 1_000 }, { name: "log" }] },
  });
  expect(left(made)).toEqual(before);
  const { data, log } = (await made.ports.store.facts.get("backup-verify.prod"))?.value.volumes ?? {};
  expect([data?.repository, log?.repository, data?.job]).toEqual(["offsite", "offsite", undefined]);
  const again = await apply(made, backupVerify, { namespace: "prod", volume: "log" });
  expect(again).toMatchObject({ state: "done" });
  const after = (await made.ports.store.facts.get("backup-verify.prod"))?.value.volumes;
  expect(after?.data).toEqual(data);
  expect(after?.log?.operation).not.toBe(log?.operation);
});

test("the operator's check gets the restored volumes where the service has them, and its failure is one", async () => {
  let exitCode = 0;
  const seen: unknown[] = [];
  const made = await world((start) => {
    if (start.kind === "job") seen.push(start.volumes);
    return start.kind === "job" ? { ready: "yes", exitCode } : { ready: "yes" };
  });
  const before = left(made);
  const input = { namespace: "prod", job: "check" };
  expect(await apply(made, backupVerify, input)).toMatchObject({ state: "done", output: { job: "check" } });
  const committed = made.memory.all.flatMap(({ volumes }) => [...volumes.keys()]);
  expect(seen[0]).toMatchObject([{ target: "/var/lib/db" }, { target: "/log" }]);
  for (const { id } of seen[0] as { id: string }[]) expect(committed).not.toContain(id);
  const fact = await made.ports.store.facts.get("backup-verify.prod");
  expect(fact?.value.volumes.data?.job).toBe("check");
  exitCode = 3;
  expect(await apply(made, backupVerify, input)).toMatchObject({ state: "failed" });
  expect(left(made)).toEqual(before);
  expect(await made.ports.store.facts.get("backup-verify.prod")).toEqual(fact);
});

test("a restored volume that differs is no verified backup, and goes", async () => {
  const made = await world();
  const before = left(made);
  const [first] = made.memory.repositories.get(REPOSITORY) ?? [];
  const handlers = made.memory.machine(first?.backup.machine ?? "");
  handlers.backups = { restic: true, differs: true };
  expect(await apply(made, backupVerify, { namespace: "prod" })).toMatchObject({
    state: "failed",
    error: { code: "backup_differs" },
  });
  expect(left(made)).toEqual(before);
  expect(await made.ports.store.facts.get("backup-verify.prod")).toBeUndefined();
});

test("a plan refuses what has no backup, an unknown job, and a machine without room", async () => {
  const made = await world();
  const refused = async (input: object) =>
    apply(made, backupVerify, { namespace: "prod", ...input }, "preview");
  expect(await refused({ job: "chek" })).toMatchObject({
    refusals: [{ message: "prod has no job chek" }],
  });
  expect(await refused({ backup: "00000000" })).toMatchObject({ refusals: [{ code: "no_such_backup" }] });
  expect(await refused({ machine: "m9" })).toMatchObject({ refusals: [{ code: "machine_unknown" }] });
  expect(await refused({ volume: "dta" })).toMatchObject({ refusals: [{ code: "no_such_backup" }] });
  const more = SHOP.replace('log = "/log"', 'log = "/log", more = "/more"');
  expect(await deploy(made, `${more}[volumes.more]\n`)).toMatchObject({ state: "done" });
  expect(await refused({})).toMatchObject({
    refusals: [{ code: "no_such_backup", message: expect.stringContaining("prod/more") }],
  });
});

test("a verification survives every fault", { timeout: 400_000 }, async () => {
  const found = await checkPrimitive(
    {
      ...{ primitive: backupVerify, input: { namespace: "prod", volume: "data", job: "check" }, world },
      inspect: async (made) => ({ state: await inspect(made), left: left(made) }),
    },
    { every: 7 },
  );
  expect(found).toEqual([]);
});
