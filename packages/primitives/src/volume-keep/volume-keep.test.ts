import { expect, test } from "vitest";
import { checkPrimitive } from "../testing/harness/check.ts";
import { apply, deploy, emptyWorld, headOf, inspect, type World } from "../testing/scenarios/change.ts";
import { volumeSnapshot } from "../volume-snapshot/index.ts";
import { volumeKeep } from "./index.ts";

const SHOP = `[services.db]
bundle = "./db"
command = ["db"]
volumes = { data = "/data" }
[volumes.data]
snapshots = { every = "15m", keep = { last = 2 } }
`;
const input = { namespace: "prod", volume: "data" };

async function world(): Promise<World> {
  const made = await emptyWorld();
  expect(await deploy(made, SHOP)).toMatchObject({ state: "done" });
  return made;
}
async function snapshots(made: World): Promise<readonly string[]> {
  const [volume] = (await headOf(made)).volumes;
  const { machine = "", id = "" } = volume ?? {};
  return [...(made.memory.machine(machine).volumes.get(id)?.snapshots.keys() ?? [])];
}
/** One that a schedule took before. */
async function took(made: World, name: string): Promise<void> {
  const [volume] = (await headOf(made)).volumes;
  await made.ports.machines.call(
    volume?.machine ?? "",
    "volume.snapshot",
    { namespace: "prod", ids: [volume?.id ?? ""], snapshot: name },
    {
      ...{ timeoutMs: 1000, signal: new AbortController().signal },
      fence: { scope: "snapshots.prod.data", generation: 1, revision: 1 },
    },
  );
}

test("a snapshot is taken, the oldest scheduled ones go, and named ones stay", async () => {
  const made = await world();
  await apply(made, volumeSnapshot, { ...input, name: "before-upgrade" });
  for (const day of ["01", "02", "03"]) await took(made, `auto-201601${day}t000000z`);
  expect(await apply(made, volumeKeep, input)).toMatchObject({
    state: "done",
    output: { removed: ["auto-20160101t000000z", "auto-20160102t000000z"] },
  });
  expect([...(await snapshots(made))].sort()).toEqual([
    "auto-20160103t000000z",
    expect.stringMatching(/^auto-20[0-9]{6}t[0-9]{6}z$/),
    "before-upgrade",
  ]);
});

test("the same tick again changes nothing", async () => {
  const made = await world();
  const again = { ...input, tick: "2026-03-01T00:00:00.000Z" };
  expect(await apply(made, volumeKeep, again)).toMatchObject({ changed: true });
  expect(await apply(made, volumeKeep, again)).toMatchObject({ state: "done", changed: false });
  expect(await snapshots(made)).toEqual(["auto-20260301t000000z"]);
});

test("a volume without a schedule is refused", async () => {
  const made = await emptyWorld();
  await deploy(made, SHOP.replace(/snapshots = .*/, ""));
  expect(await apply(made, volumeKeep, input)).toMatchObject({ refusals: [{ code: "no_such_schedule" }] });
});

test("it survives every fault", { timeout: 400_000 }, async () => {
  const found = await checkPrimitive({
    ...{ primitive: volumeKeep, input: { ...input, tick: "2026-03-01T00:00:00.000Z" }, world },
    inspect: async (made) => ({ state: await inspect(made), snapshots: (await snapshots(made)).length }),
  });
  expect(found).toEqual([]);
});
