import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster } from "../../src/cluster.ts";
import { difference, inventory } from "../../src/inventory.ts";
import { ledgerBundles, ledgerManifest, lost, rowsOf, writer } from "../../src/ledger.ts";

/** A migration to a machine whose pool is not as it should be. The ledger is on m2 at first. */
let cluster: Cluster;
const on = async (machine: number, script: string) =>
  (await cluster.lab.sh(machine, ["sh", "-ec", script], { timeoutMs: 60_000 })).stdout.trim();
const migrate = (to: number, ok: readonly number[] = [0]) =>
  cluster.json<{ state: string; error?: { code: string } }>(
    1,
    ["migrate", "apply", "prod/ledger", "--to", `m${to}`],
    {
      ok,
      timeoutMs: 240_000,
    },
  );

beforeAll(async () => {
  cluster = await openCluster({ machines: 3, volumes: true });
  for (const machine of ["m2", undefined]) {
    const manifest = ledgerManifest({ version: `on-${machine}`, ...(machine !== undefined && { machine }) });
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest, ledgerBundles)]);
  }
  await cluster.get(1, "ledger.example.test", "/fill?from=1&mib=64");
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("no space there: the error names the reason, the source keeps serving, nothing is left, and with space it works", async () => {
  const before = await inventory(cluster);
  await on(
    3,
    "zfs create -o mountpoint=none tank/hog && zfs set reservation=$(zfs get -Hpo value available tank) tank/hog",
  );
  await using writing = await writer(cluster, 1);
  const { error } = await migrate(3, [1, 3]);
  expect(error?.code).toMatch(/no_space/);
  const { acknowledged, failures } = await writing.end();
  expect(failures).toEqual([]);
  expect(lost(acknowledged, await rowsOf(cluster, 2))).toEqual([]);
  const bundle = /^\+ m3: (bundle|data) /;
  expect(difference(before, await inventory(cluster)).filter((line) => !bundle.test(line))).toEqual([]);
  await on(3, "zfs destroy tank/hog");
  expect(await migrate(3)).toMatchObject({ state: "done" });
});

it("a foreign snapshot, and data written to the kept copy: both are set aside, never destroyed", async () => {
  const kept = await on(2, "zfs list -H -o name -r -d 1 tank/ployz/retired | tail -n 1");
  await on(
    2,
    `zfs set readonly=off ${kept}; zfs set mountpoint=/mnt/kept ${kept}; zfs mount ${kept} 2>/dev/null || true
     echo precious >/mnt/kept/mine; zfs snapshot ${kept}@mine; zfs set mountpoint=none ${kept}; zfs set readonly=on ${kept}`,
  );
  const rows = await rowsOf(cluster, 1);
  expect(await migrate(2)).toMatchObject({ state: "done" });
  expect(lost(rows, await rowsOf(cluster, 1))).toEqual([]);
  const aside = await on(2, "zfs list -H -o name -t snapshot -r tank/ployz/retired | grep @mine");
  expect(aside).toMatch(/\.aside-\d+@mine$/);
  const copy = aside.split("@")[0] ?? "";
  const found = `zfs clone -o mountpoint=/mnt/look ${aside} tank/look; cat /mnt/look/mine`;
  expect(await on(2, found)).toBe("precious");
  expect(copy).not.toBe(kept);
});
