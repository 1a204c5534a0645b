import { expect, it } from "vitest";
import { copyWarnings } from "./copies.ts";

it("the hint of volumes with one copy is a command that can be typed, but for the machine", () => {
  const row = { namespace: "prod", machine: "m1" };
  const rows = [
    { ...row, volume: "data" },
    { ...row, volume: "logs" },
    { ...row, volume: "safe", backupAt: "2026-01-01T00:00:00Z" },
  ];
  expect(copyWarnings(rows)).toMatchObject([
    {
      ...{ code: "volume_single_copy", about: "prod" },
      message: "prod: the only copy of data on m1, logs on m1 is on one disk",
      hint: "give it a standby: ployzctl volume standby add prod/data --to MACHINE; or a backup: ployzctl backup run prod",
    },
  ]);
});
