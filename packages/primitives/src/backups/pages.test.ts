import { expect, test } from "vitest";
import type { Backup } from "../model/backup.ts";
import { allBackups, backupPage } from "./pages.ts";

const at = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, Math.floor(n / 3))).toISOString();
/** Three of one moment each, with ids that do not follow the times. */
const backups = Array.from(
  { length: 20_000 },
  (_, n): Backup => ({
    ...{
      id: `${(n * 7919) % 20_000}`.padStart(64, "f"),
      repository: "offsite",
      cluster: "acme",
      clusterId: "c",
    },
    ...{ namespace: "n".repeat(63), volume: "v".repeat(63), at: at(n), machine: "m".repeat(63), commit: n },
    ...{ snapshot: "s".repeat(40), operation: "0".repeat(26) },
  }),
);

test("20,000 backups arrive in pages of less than half a message, each once", async () => {
  let pages = 0;
  const all = await allBackups(async (after) => {
    const page = backupPage(backups, after);
    pages++;
    expect(JSON.stringify(page).length).toBeLessThan(4 * 2 ** 20);
    return page;
  });
  expect(pages).toBe(4);
  expect(new Set(all.map(({ id }) => id)).size).toBe(20_000);
  expect(all.map((one) => one.at)).toEqual(backups.map((one) => one.at));
});

test("backups that are deleted meanwhile stop nothing, and a machine without pages answers at once", async () => {
  let left: readonly Backup[] = backups.slice(0, 9);
  const some = await allBackups(async (after) => {
    const page = backupPage(left, after, 3);
    left = left.filter(({ id }) => !page.backups.some((one) => one.id === id));
    return page;
  });
  expect(some).toHaveLength(9);
  expect(await allBackups(async () => backupPage(backups, undefined))).toHaveLength(20_000);
  expect(await allBackups(async (after) => backupPage([], after))).toEqual([]);
});
