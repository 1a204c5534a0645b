import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openerOf } from "../src/commands/dashboard/dashboard.ts";
import { operator } from "../src/operator.ts";
import { type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl, type RunOptions } from "./run.ts";

/** The program as macOS runs it: no daemon, no /proc, and every cluster behind ssh. */
let daemon: FakeDaemon;
let home: string;
beforeAll(async () => {
  daemon = await fakeDaemon({ "GET /v1/machines": () => ({ kind: "machines", machines: [] }) });
});
afterAll(() => daemon.close());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "ployz-macos-"));
  const dial = `echo 'ployz-dial/1 {}'; exec "$NODE" -e 'const s = require("net").connect(process.env.FAKE); process.stdin.pipe(s).pipe(process.stdout)'`;
  await writeFile(
    join(home, "ssh"),
    `#!/bin/sh\necho "$*" >> "$HOME/ssh.log"\ncase "$*" in *dial-stdio) ${dial};; esac\n`,
  );
  await chmod(join(home, "ssh"), 0o755);
  return () => rm(home, { recursive: true, force: true });
});

const mac = async (argv: readonly string[], options: RunOptions = {}) => {
  const path = process.env.PATH;
  Object.assign(process.env, {
    PATH: `${home}:${path}`,
    FAKE: daemon.socket,
    NODE: process.execPath,
    HOME: home,
  });
  try {
    return await ctl(argv, { ...options, platform: "darwin", env: { HOME: home, ...options.env } });
  } finally {
    process.env.PATH = path;
  }
};

it("keeps its contexts in ~/.config and reaches a cluster through ssh", async () => {
  await mac(["context", "add", "prod", "ssh://root@m1"]);
  await mac(["context", "use", "prod"]);
  expect(await readFile(join(home, ".config/ployz/contexts.toml"), "utf8")).toContain('current = "prod"');
  expect(await mac(["machine", "ls"])).toMatchObject({ code: 0 });
  const log = await readFile(join(home, "ssh.log"), "utf8");
  const socket = /ControlPath=(\S+)/.exec(log)?.[1] ?? "";
  expect(socket.startsWith(join(home, ".cache/ployz/"))).toBe(true);
});

describe("without a context", () => {
  it.each(["ps", "status", "logs prod/web", "doctor", "port-forward prod/db 5432"])(
    "%s says how to name a machine",
    async (line) => {
      const { code, err } = await mac(line.split(" "));
      expect({ code, err }).toMatchObject({ code: 3, err: expect.stringContaining("ployzctl context add") });
      expect(err).not.toContain("daemon install");
    },
  );

  it("takes a forwarded socket", async () => {
    expect(await mac(["machine", "ls", "--socket", daemon.socket])).toMatchObject({ code: 0 });
  });
});

it.each(["daemon status", "daemon install", "dev"])("%s is refused: machines run Linux", async (line) => {
  const { code, err } = await mac(line.split(" "));
  expect({ code, err }).toMatchObject({ code: 3, err: expect.stringContaining("this computer runs macOS") });
});

it("completes commands and contexts, and names of a cluster in silence", async () => {
  await mac(["context", "add", "prod", "ssh://root@m1"]);
  expect((await mac(["__complete", "context", "use", ""])).out).toContain("prod");
  expect(await mac(["__complete", "ps", ""])).toMatchObject({ code: 0, err: "" });
});

it("opens a browser by open(1), and knows its user without /proc", () => {
  expect(openerOf("darwin", {}, true)).toBe("open");
  const read = (path: string) => (path.startsWith("/proc") ? undefined : "");
  expect(operator({ env: { USER: "me" }, uid: 501, host: "laptop", read })).toBe("me@laptop");
});
