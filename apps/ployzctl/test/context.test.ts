import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExecError } from "@ployz/exec";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hostText, needSshHost } from "../src/remote/host.ts";
import { explain } from "../src/remote/ssh.ts";
import { Events, type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

let home: string;
let daemon: FakeDaemon;
/** A program in place of ssh(1): the words after `--` are the host and the command, as sshd would run it. */
const SSH = `#!/bin/sh
echo "$*" >> "$HOME/ssh.log"
while [ "$1" != -- ]; do [ "$1" = -O ] && exit 255; shift; done
case "$2" in
  down) echo "ssh: connect to host down port 22: Connection refused" >&2; exit 255;;
  garbled) [ "$3" = true ] || echo "+ echo ployz-dial/1 {"; exit 0;;
  bare) [ "$3" = true ] || { echo "sh: ployzctl: not found" >&2; exit 127; }; exit 0;;
  strange) echo "Host key verification failed." >&2; exit 255;;
esac
[ "$3" = true ] && exit 0
case "$3" in echo*) [ "$2" = deaf ] || export SSH_AUTH_SOCK=/far/agent; echo "Welcome"; exec sh -c "$3";; esac
echo "Welcome to $2"
echo 'ployz-dial/1 {}'
exec "$NODE" -e '
  const s = require("net").connect(process.env.FAKE);
  process.stdin.pipe(s).pipe(process.stdout);'
`;
beforeAll(async () => {
  daemon = await fakeDaemon({
    "GET /v1/machines": () => ({ kind: "machines", machines: [] }),
    "POST /v1/operations": () =>
      new Events([{ type: "refused", refusals: [{ code: "machine_unreachable", message: "away" }] }]),
  });
});
afterAll(() => daemon.close());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "ployz-context-"));
  await writeFile(join(home, "ssh"), SSH);
  await chmod(join(home, "ssh"), 0o755);
  return () => rm(home, { recursive: true, force: true });
});

const here = (...argv: readonly string[]) => over({}, argv);
const over = (env: Readonly<Record<string, string>>, argv: readonly string[]) => {
  const path = process.env.PATH;
  Object.assign(process.env, {
    PATH: `${home}:${path}`,
    FAKE: daemon.socket,
    NODE: process.execPath,
    HOME: home,
  });
  return ctl(argv, { env: { HOME: home, XDG_RUNTIME_DIR: home, ...env } }).finally(() => {
    process.env.PATH = path;
  });
};
const file = () => readFile(join(home, ".config/ployz/contexts.toml"), "utf8");
const used = async () => (await readFile(join(home, "ssh.log"), "utf8")).trim().split("\n");

describe("context", () => {
  it("shares no connection where another user may write", async () => {
    await mkdir(join(home, "ployz"));
    for (const [mode, shares] of [
      [0o777, false],
      [0o700, true],
    ] as const) {
      await chmod(join(home, "ployz"), mode);
      await rm(join(home, "ssh.log"), { force: true });
      expect((await here("-H", "m1", "machine", "ls")).code).toBe(0);
      const lines = await used();
      expect(lines.some((line) => line.includes("ControlMaster=auto"))).toBe(shares);
      expect(lines.some((line) => line.includes("ControlPath=none"))).toBe(!shares);
    }
  });

  it("names a machine whose shell prints what looks like an answer", async () => {
    const { code, err } = await here("-H", "garbled", "machine", "ls");
    expect([code, err]).toEqual([3, expect.stringContaining("ssh://garbled: cannot start its ployzctl")]);
  });

  it("is added, used, listed, shown and removed", async () => {
    expect((await here("context", "ls")).out).toContain("no contexts");
    expect((await here("context", "add", "prod", "deploy@m1:2222", "ssh://alias")).code).toBe(0);
    expect((await here("context", "add", "prod", "ssh://deploy@m1:2222", "alias")).code).toBe(0);
    expect(await file()).toContain('hosts = [ "ssh://deploy@m1:2222", "ssh://alias" ]');
    expect((await stat(join(home, ".config/ployz/contexts.toml"))).mode & 0o777).toBe(0o600);
    expect((await here("context", "use", "prod")).code).toBe(0);
    expect(JSON.parse((await here("context", "ls", "--json")).out)).toEqual({
      kind: "contexts",
      current: "prod",
      contexts: [{ name: "prod", hosts: ["ssh://deploy@m1:2222", "ssh://alias"], current: true }],
    });
    expect((await here("context", "show")).out).toContain("prod");
    expect((await here("context", "rm", "prod")).out).toContain("this machine's daemon now");
    expect((await here("context", "show")).out).toContain("local");
  });

  it("is refused when it cannot be one, and nothing is written", async () => {
    await here("context", "add", "prod", "alias");
    const before = await file();
    for (const [code, ...argv] of [
      [2, "add", "prod", "-oProxyCommand=x"],
      [2, "add", "new", "a b"],
      [2, "add", "new", "alias", "ssh://alias"],
      [2, "add", "local", "alias"],
      [2, "add", "UPPER", "alias"],
      [2, "add", "new"],
      [3, "add", "prod", "other"],
      [3, "use", "absent"],
      [3, "rm", "absent"],
    ] as const)
      expect([argv, (await here("context", ...argv)).code]).toEqual([argv, code]);
    expect(await file()).toBe(before);
  });

  it.each([
    "= 1",
    'current = "x"',
    "contexts = 1",
    "[contexts.a]\nhosts = []",
    '[contexts.a]\nhosts = ["a b"]',
  ])("a wrong file is an error that names it: %s", async (text) => {
    await here("context", "add", "prod", "alias");
    await writeFile(join(home, ".config/ployz/contexts.toml"), text);
    const { code, err } = await here("machine", "ls");
    expect([code, err.includes("contexts.toml")]).toEqual([2, true]);
  });
});

describe("a command over a context", () => {
  it("reaches the daemon through ssh, past a shell that prints, and says which machine is down", async () => {
    await here("context", "add", "prod", "down", "deploy@up:2222");
    const { code, err, out } = await here("machine", "ls", "--context", "prod");
    expect([code, out]).toEqual([0, expect.stringContaining("no machines")]);
    expect(err).toContain(
      "ssh://down: ssh: connect to host down port 22: Connection refused; trying the next",
    );
    expect((await used()).at(-1)).toMatch(/ -l deploy -p 2222 -- up ployzctl dial-stdio$/);
  });

  it("comes from --context, PLOYZ_CONTEXT, or the one in use; flags of another way win", async () => {
    await here("context", "add", "prod", "up");
    await here("context", "use", "prod");
    expect((await here("machine", "ls")).code).toBe(0);
    expect((await here("machine", "ls", "-H", "root@bare")).err).toContain("sh: ployzctl: not found");
    expect((await here("machine", "ls", "--context", "local")).code).toBe(4);
    expect((await here("machine", "ls", "--context", "prod", "--host", "up")).code).toBe(2);
    expect((await here("machine", "ls", "--context", "absent")).code).toBe(3);
    expect((await here("daemon", "status")).err).toContain("/run/ployz");
  });

  it("lends this computer's agent to the machine that adds another", async () => {
    const agent = { SSH_AUTH_SOCK: "/near/agent", SSH_AGENT_PID: "1" };
    const add = (host: string) => over(agent, ["machine", "add", "root@m4", "-y", "-H", host]);
    await add("up");
    expect(JSON.parse(daemon.received.at(-1)?.body ?? "")).toMatchObject({
      credentials: { agentSocket: "/far/agent" },
    });
    expect((await used()).find((line) => line.includes("echo"))).toMatch(/^-A .*ControlPath=none/);
    expect(
      (await used()).filter((line) => !line.includes("echo")).every((line) => !line.includes("-A ")),
    ).toBe(true);
    const { code, err } = await add("deaf");
    expect([code, err]).toEqual([3, expect.stringContaining("AllowAgentForwarding")]);
  });

  it("does not pass by a host key that is not known", async () => {
    await here("context", "add", "prod", "strange", "up");
    const { code, err } = await here("machine", "ls", "--context", "prod");
    expect([code, err]).toEqual([3, expect.stringContaining("unknown or changed host key")]);
  });

  it("names every machine when all are down", async () => {
    await here("context", "add", "prod", "down", "bare");
    const { code, err } = await here("machine", "ls", "--context", "prod");
    expect([code, err]).toEqual([4, expect.stringMatching(/ssh:\/\/down: .*; ssh:\/\/bare: /)]);
  });
});

it.each([
  ["m1", { host: "m1" }],
  ["ssh://deploy@m1.example.com:2222/", { user: "deploy", host: "m1.example.com", port: 2222 }],
  ["root@[fd00::1]:22", { user: "root", host: "fd00::1", port: 22 }],
])("%s is a host", (text, host) => {
  expect(needSshHost("HOST", text)).toEqual(host);
  expect(needSshHost("HOST", hostText(host))).toEqual(host);
});

it.each(["", "-p", "a@-b", "m1:0", "m1:70000", "a b", "$(id)", "ssh://", "a@b@c"])("%j is none", (text) => {
  expect(() => needSshHost("HOST", text)).toThrow("HOST");
});

it.each([
  ["user@m1: Permission denied (publickey).", "ssh_auth_failed"],
  [
    "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
    "ssh_host_key_unknown",
  ],
  ["ssh: Could not resolve hostname m9: Name or service not known", "ssh_unreachable"],
])("ssh's %j is %s", (stderr, code) => {
  const base = { program: "ssh", args: [], code: "exec_failed", message: "failed" } as const;
  expect(explain("ssh://m1", new ExecError({ ...base, stderr }))).toMatchObject({ code });
});
