import { ExecError } from "@ployz/exec";
import { expect, test } from "vitest";
import { failureOf, isVain } from "./failure.ts";
import { backupsIn, tagsOf } from "./tags.ts";

const failed = (stderr: string, code: ConstructorParameters<typeof ExecError>[0]["code"] = "exec_failed") =>
  failureOf(
    new ExecError({
      code,
      program: "restic",
      args: ["backup"],
      exitCode: 1,
      stderr,
      message: "restic failed",
    }),
    { name: "offsite" },
  );

test.each([
  ["Fatal: wrong password or no key found", "repository_password_wrong"],
  [
    "Fatal: unable to open config file: Stat: stat /srv/none/config: no such file or directory\nIs there a repository at the following location?\n/srv/none",
    "repository_absent",
  ],
  [
    "Fatal: unable to create lock in backend: repository is already locked by PID 7 on m1",
    "repository_locked",
  ],
  ["Fatal: unable to save snapshot: write /srv/tmp: no space left on device", "repository_full"],
  [
    "Fatal: unable to open config file: Stat: The Access Key Id you provided does not exist in our records.",
    "repository_denied",
  ],
  [
    "subprocess ssh: backup@nas: Permission denied (publickey).\nFatal: unable to start the sftp session",
    "repository_denied",
  ],
  [
    "Fatal: unable to open config file: dial tcp 10.0.0.1:9000: connect: connection refused",
    "repository_unreachable",
  ],
  ["Fatal: load(<data/0123>): invalid data returned", "backup_damaged"],
  ["Warning: at least one source file could not be read", "backup_incomplete"],
  ["Fatal: something new", "backup_failed"],
])("%s", (stderr, code) => {
  expect(failed(stderr)).toMatchObject({
    code,
    hint: expect.any(String),
    message: expect.stringContaining("offsite"),
  });
});

test("only what a person has to put right is not tried again", () => {
  const again = (why: string) => isVain(`Save(<data/01>) returned error, retrying after 720ms: ${why}`);
  expect([again("no space left on device"), again("403 Forbidden")]).toEqual([true, true]);
  expect([again("connection refused"), isVain("no space left on device")]).toEqual([false, false]);
});

test("a server that gives no answer in time is unreachable, and an abort stays one", () => {
  expect(failed("", "exec_timeout")).toMatchObject({ code: "repository_unreachable" });
  expect(failed("", "exec_aborted")).toMatchObject({ code: "exec_aborted" });
});

test("a snapshot's tags say which backup it is, and other snapshots are left out", () => {
  const tags = {
    ...{ cluster: "acme", namespace: "prod", volume: "pgdata", machine: "m1", commit: 7 },
    ...{ snapshot: "01j", operation: "01J" },
  };
  const listed = [
    { id: "b".repeat(64), time: "2026-02-01T00:00:00.5Z", tags: tagsOf(tags).split(",") },
    { id: "c".repeat(64), time: "2026-03-01T00:00:00Z", tags: ["mine"] },
    { id: "d".repeat(64), time: "2026-03-01T00:00:00Z" },
  ];
  expect(backupsIn(JSON.stringify(listed), "offsite")).toEqual([
    { id: "b".repeat(64), repository: "offsite", at: "2026-02-01T00:00:00.500Z", ...tags },
  ]);
  expect(backupsIn("null", "offsite")).toEqual([]);
});
