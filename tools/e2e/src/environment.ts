import type { LabKind } from "@ployz/lab";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "./cluster.ts";
import { LEDGER, ledgerBundles, ledgerManifest, lost, rowsOf, writer } from "./ledger.ts";

type Volume = { readonly name: string; readonly namespace: string; readonly machine: string };
type Done = {
  readonly state: string;
  readonly changed: boolean;
  readonly revision: number;
  readonly owed: unknown[];
};

/** One environment with data on three machines, under load during the tests. */
export interface Environment {
  cluster(): Cluster;
  /** The machine that holds that namespace's volume. */
  machineOf(namespace?: string): Promise<string>;
  done(i: number, args: readonly string[]): Promise<Done>;
}

/** Time-out for creating the machines and the environment. */
const HOOK_MS: Readonly<Record<LabKind, number>> = { ns: 300_000, systemd: 300_000, vm: 1_800_000 };

/** Branch, promote, roll back and migrate, each test continues from the state of its predecessor. `more`: tests to run before the environment is removed. */
export function environmentWithData(
  kind: LabKind,
  more: (environment: Environment) => void = () => {},
): void {
  describe(`an environment with data on ${kind} machines`, () => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await openCluster({ machines: 3, kind, volumes: true });
      const file = await cluster.put(1, ledgerManifest(), ledgerBundles);
      await cluster.ctl(1, ["deploy", "-f", file]);
    }, HOOK_MS[kind]);
    afterAll(() => cluster?.[Symbol.asyncDispose]());

    const machineOf = async (namespace = "prod") =>
      (await cluster.json<{ volumes: readonly Volume[] }>(1, ["volume", "ls", namespace])).volumes.find(
        ({ name }) => name === "data",
      )?.machine ?? "";
    const done = (i: number, args: readonly string[]) => cluster.json<Done>(i, args, { timeoutMs: 300_000 });

    it("a branch has every row that was acknowledged before it, and lives by itself", async () => {
      await using writing = await writer(cluster, 1);
      await expect
        .poll(async () => (await rowsOf(cluster, 2)).length, { timeout: 30_000 })
        .toBeGreaterThan(50);
      const before = await rowsOf(cluster, 3);
      const preview = await cluster.ctl(2, ["branch", "preview", "prod", "pr-42", "--volume-mode", "branch"]);
      expect(preview.stdout).toContain("volume data: from prod/data");
      expect(await done(2, ["branch", "apply", "prod", "pr-42", "--volume-mode", "branch"])).toMatchObject({
        state: "done",
        owed: [],
      });
      const branched = await rowsOf(cluster, 1, `pr-42--${LEDGER}`);
      expect(lost(before, branched)).toEqual([]);
      await cluster.get(1, `pr-42--${LEDGER}`, "/write?n=1000000");
      const { acknowledged, failures, longestGapMs } = await writing.end();
      console.log(
        `branch: ${acknowledged.length} rows acknowledged meanwhile, longest gap ${longestGapMs} ms`,
      );
      expect(failures).toEqual([]);
      const rows = await rowsOf(cluster, 2);
      expect(lost(acknowledged, rows)).toEqual([]);
      expect(rows).not.toContain(1_000_000);
      expect(await done(3, ["branch", "apply", "prod", "pr-42", "--volume-mode", "branch"])).toMatchObject({
        changed: false,
      });
    });

    it("a promotion flips the services and leaves the data", async () => {
      const rows = await rowsOf(cluster, 1);
      const file = await cluster.put(
        2,
        ledgerManifest({ version: "v2", namespace: "pr-42" }).replaceAll('host = "', 'host = "pr-42--'),
        ledgerBundles,
      );
      await cluster.ctl(2, ["deploy", "-f", file]);
      expect((await cluster.ctl(1, ["promote", "pr-42", "prod", "-n"])).stdout).toContain("~ service web");
      expect(await done(1, ["promote", "pr-42", "prod"])).toMatchObject({ state: "done", owed: [] });
      expect((await cluster.get(3, "www.example.test")).body).toContain('"version":"v2"');
      expect((await cluster.get(3, LEDGER)).body).toBe("v2");
      expect(await rowsOf(cluster, 1)).toEqual(rows);
    });

    it("a rollback with data goes back, and forward again with every row", async () => {
      await cluster.get(1, LEDGER, "/write?n=2000000");
      const rows = await rowsOf(cluster, 1);
      const { revision: promoted } = (
        await cluster.json<{ commits: { revision: number }[] }>(1, ["history", "prod"])
      ).commits[0] ?? { revision: 0 };
      expect(await done(2, ["rollback", "prod", "--volumes", "all"])).toMatchObject({
        state: "done",
        owed: [],
      });
      expect((await cluster.get(3, LEDGER)).body).toBe("v1");
      expect(await rowsOf(cluster, 3)).not.toContain(2_000_000);
      expect(await done(3, ["rollback", "prod", "--to", String(promoted), "--volumes", "all"])).toMatchObject(
        {
          state: "done",
          owed: [],
        },
      );
      expect((await cluster.get(1, LEDGER)).body).toBe("v2");
      expect(await rowsOf(cluster, 1)).toEqual(rows);
    });

    it("a migration takes all data with it, and requests wait instead of failing", async () => {
      await using writing = await writer(cluster, 1);
      const [first = "", second = ""] = ["m1", "m2", "m3"].filter((id) => id !== "");
      const from = await machineOf();
      const others = ["m1", "m2", "m3"].filter((id) => id !== from);
      expect(
        (await cluster.ctl(1, ["migrate", "preview", "prod/ledger", "--to", others[0] ?? first])).stdout,
      ).toMatch(/\d[KMG] to copy/);
      for (const to of [others[0] ?? first, others[1] ?? second, from]) {
        expect(await done(2, ["migrate", "apply", "prod/ledger", "--to", to])).toMatchObject({
          state: "done",
          owed: [],
        });
        expect(await machineOf()).toBe(to);
      }
      const { acknowledged, failures, longestGapMs } = await writing.end();
      console.log(
        `three migrations: ${acknowledged.length} rows acknowledged, longest gap ${longestGapMs} ms, ${failures.length} failures ${JSON.stringify(failures.slice(0, 10))}`,
      );
      expect(lost(acknowledged, await rowsOf(cluster, 3))).toEqual([]);
      // Under emulation it takes longer than the gateway holds requests.
      expect(kind === "vm" ? failures.filter(([, status]) => status !== 503) : failures).toEqual([]);
    });

    more({ cluster: () => cluster, machineOf, done });

    it("the source is removed before its branch: the branch keeps running, and nothing is left running in the end", async () => {
      const branched = await rowsOf(cluster, 1, `pr-42--${LEDGER}`);
      expect(await done(1, ["namespace", "rm", "prod", "--yes"])).toMatchObject({ state: "done", owed: [] });
      expect(await rowsOf(cluster, 2, `pr-42--${LEDGER}`)).toEqual(branched);
      expect(await done(2, ["namespace", "rm", "pr-42", "--yes"])).toMatchObject({ state: "done", owed: [] });
      const { instances } = await cluster.json<{ instances: unknown[] }>(3, ["ps"]);
      expect(instances).toEqual([]);
      const { checks } = await cluster.json<{ checks: { id: string; found: string }[] }>(3, ["doctor"]);
      for (const id of ["gateway", "dns"])
        expect(checks.find((check) => check.id === id)?.found).toBe("serves no namespace");
      // A removed namespace can be restored with its data.
      expect(await done(3, ["rollback", "pr-42", "--volumes", "all"])).toMatchObject({
        state: "done",
        owed: [],
      });
      expect(lost(branched, await rowsOf(cluster, 1, `pr-42--${LEDGER}`))).toEqual([]);
    });
  });
}
