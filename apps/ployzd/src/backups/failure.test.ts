import { ExecError } from "@ployz/exec";
import { expect, test } from "vitest";
import { failureOf, isVain } from "./failure.ts";
import { backupsIn, tagsOf } from "./tags.ts";

test("the line of ssh is shown, and an unknown server is no wrong key", () => {
  const eof =
    "Fatal: unable to start the sftp session, error: error receiving version packet from server: EOF";
  expect(failed(`subprocess ssh: root@m1: Permission denied (publickey).\n${eof}`)).toMatchObject({
    code: "repository_denied",
    message:
      "repository offsite: its server refuses the credentials (subprocess ssh: root@m1: Permission denied (publickey).)",
  });
  expect(failed(`subprocess ssh: Host key verification failed.\n${eof}`)).toMatchObject({
    code: "repository_denied",
    hint: expect.stringContaining("ssh-keyscan"),
  });
});

test("a folder that is the repository is full itself", () => {
  const stderr = "Fatal: unable to save snapshot: write /srv/tmp: no space left on device";
  expect(failed(stderr, "exec_failed", "file:/srv")).toMatchObject({ code: "repository_full" });
  expect(failed(stderr, "exec_failed", "file:/mnt")).toMatchObject({ code: "no_space" });
});

const failed = (
  stderr: string,
  code: ConstructorParameters<typeof ExecError>[0]["code"] = "exec_failed",
  url = "s3://backups",
) =>
  failureOf(
    new ExecError({
      code,
      program: "restic",
      args: ["backup"],
      exitCode: 1,
      stderr,
      message: "restic failed",
    }),
    { name: "offsite", url },
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
  [
    "ignoring error for /data/failed.log: write /var/lib/ployz/volumes/x/data/failed.log: no space left on device",
    "no_space",
  ],
  ["ignoring error for /data/x: write /tank/x: disk quota exceeded", "no_space"],
  [
    "Fatal: unable to save snapshot: open /var/lib/ployz/backups/cache/x: no space left on device",
    "no_space",
  ],
  ["rclone: 2026/11/30 ERROR : data/6f: write /mnt/nas/6f: no space left on device", "repository_full"],
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
  [
    "Save(<lock/88e8>) returned error, retrying after 3s: client.PutObject: InsufficientStorage\nunable to create lock in backend",
    "repository_full",
  ],
  [
    "rclone: 2026/11/30 ERROR : data/6f/6f3e: Post request put error: preallocate: file too big for remaining disk space",
    "repository_full",
  ],
  [
    'rclone: 2026/11/30 Failed to create file system for "none:x": didn\'t find section in config file\nFatal: unable to open repository at rclone:none:x: error talking HTTP to rclone: context canceled',
    "repository_secret_invalid",
  ],
  [
    'Fatal: unable to open repository at rclone:nas:x: exec: "rclone": executable file not found in $PATH',
    "backup_tool_missing",
  ],
  ["Fatal: unable to open config file: Stat: ExpiredToken", "repository_denied"],
  [
    "Fatal: unable to open config file: unexpected HTTP response (401): 401 Unauthorized",
    "repository_denied",
  ],
  [
    "Save(<data/77>) returned error, retrying after 1s: server response unexpected: 500 Internal Server Error (500)",
    "repository_unreachable",
  ],
  ["Fatal: something new", "backup_failed"],
])("%s", (stderr, code) => {
  expect(failed(stderr)).toMatchObject({
    code,
    hint: expect.any(String),
    message: expect.stringContaining("offsite"),
  });
});

test("rclone's own line is shown, and it does not tell a refusal from an absence", () => {
  const said = 'rclone: Failed to create file system for "none:x": didn\'t find section in config file';
  expect(failed(`${said}\nFatal: unable to open repository: context canceled`)).toMatchObject({
    message: expect.stringContaining("didn't find section"),
  });
  const stderr =
    "Fatal: unable to open config file: <config/> does not exist\nIs there a repository at the following location?\nrclone:nas:x";
  expect(failed(stderr, "exec_failed", "rclone:nas:x")).toMatchObject({
    code: "repository_absent",
    hint: expect.stringContaining("keys"),
  });
});

test("only what a person has to put right is not tried again", () => {
  const again = (why: string) => isVain(`Save(<data/01>) returned error, retrying after 720ms: ${why}`);
  expect([again("no space left on device"), again("403 Forbidden")]).toEqual([true, true]);
  expect(isVain("rclone: ERROR : data/6f: Post request put error: too big for remaining disk space")).toBe(
    true,
  );
  expect([again("connection refused"), isVain("no space left on device")]).toEqual([false, false]);
});

test("a server that gives no answer in time is unreachable, and an abort stays one", () => {
  expect(failed("", "exec_timeout")).toMatchObject({ code: "repository_unreachable" });
  expect(failed("", "exec_aborted")).toMatchObject({ code: "exec_aborted" });
});

test("a snapshot's tags say which backup it is, and other snapshots are left out", () => {
  const tags = {
    ...{
      cluster: "acme",
      clusterId: "acme-1",
      namespace: "prod",
      volume: "pgdata",
      machine: "m1",
      commit: 7,
    },
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
