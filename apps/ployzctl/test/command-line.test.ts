import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { COMMANDS } from "../src/commands/index.ts";
import { type FakeDaemon, failure, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

const machines = { kind: "machines", machines: [] };
let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await fakeDaemon({
    "GET /v1/machines": () => machines,
    "GET /v1/ps": () => failure("store_unavailable", "no quorum", "wait"),
  });
});
afterEach(() => daemon.close());

describe("global flags", () => {
  it.each([
    ["before", (s: string) => ["--json", "--socket", s, "machine", "ls"]],
    ["between", (s: string) => ["machine", "--json", `--socket=${s}`, "ls"]],
    ["after", (s: string) => ["machine", "ls", "--json", "--socket", s]],
  ])("work %s the command", async (_where, argv) => {
    expect(await ctl(argv(daemon.socket))).toEqual({
      code: 0,
      out: `${JSON.stringify(machines)}\n`,
      err: "",
    });
  });

  it("come from the environment too", async () => {
    const { code } = await ctl(["machine", "ls"], { env: { PLOYZ_SOCKET: daemon.socket } });
    expect(code).toBe(0);
    expect(daemon.received.map(({ route }) => route)).toEqual(["GET /v1/machines"]);
  });

  it("finds the socket in the configuration file, and names a file that is not TOML", async () => {
    const { writeFile } = await import("node:fs/promises");
    const config = `${daemon.dir}/config.toml`;
    await writeFile(config, `socket = "${daemon.socket}"\n`);
    expect((await ctl(["machine", "ls"], { env: { PLOYZ_CONFIG: config } })).code).toBe(0);
    await writeFile(config, "socket = = 3\n");
    const bad = await ctl(["machine", "ls", "--config", config]);
    expect(bad).toMatchObject({ code: 2, out: "" });
    expect(bad.err).toContain(config);
  });
});

describe("mistakes, with exit code 2", () => {
  it.each([
    [["machine", "lss"], 'unknown command: "machine lss"', "did you mean ployzctl machine ls?"],
    [["depoly"], 'unknown command: "depoly"', "did you mean ployzctl deploy?"],
    [["deploy", "--namespase", "x"], "unknown flag: --namespase", "did you mean --namespace?"],
    [["--jsn", "status"], "unknown flag: --jsn", "ployzctl --help"],
    [["status", "--json", "--plain"], "--json and --plain exclude each other", ""],
    [["status", "--events"], "--events goes with --json", ""],
    [["logs"], "TARGET is missing", "ployzctl logs TARGET"],
    [["status", "extra"], 'unexpected argument: "extra"', "ployzctl status"],
    [["logs", "a", "--tail", "many"], '--tail: "many" is not a number', ""],
    [["deploy", "-f"], "--file needs a value", "ployzctl deploy --help"],
    [["deploy", "-f", "a", "-f", "b"], "--file is given more than once", ""],
    [["daemon", "install", "--runtime", "podman"], '--runtime: "podman" is none of docker, host', ""],
    [["status", "--timeout", "soon"], '--timeout: "soon" is not a time', ""],
  ])("%j", async (argv, message, hint) => {
    const { code, out, err } = await ctl(argv);
    expect({ code, out }).toMatchObject({ code: 2 });
    expect(`${out}${err}`).toContain(message);
    expect(`${out}${err}`).toContain(hint);
  });

  it("a noun alone shows what it has", async () => {
    const { code, err } = await ctl(["network"]);
    expect(code).toBe(2);
    expect(err).toContain("mesh init");
  });
});

describe("errors", () => {
  it("of the daemon keep their code, and say what to do", async () => {
    const human = await ctl(["ps", "--socket", daemon.socket]);
    expect(human).toEqual({ code: 4, out: "", err: "error: no quorum\nhint: wait\n" });
    const json = await ctl(["ps", "--json", "--socket", daemon.socket]);
    expect(json).toMatchObject({ code: 4, err: "" });
    expect(JSON.parse(json.out)).toEqual({
      kind: "error",
      error: { code: "store_unavailable", message: "no quorum", hint: "wait" },
    });
  });

  it("of a daemon that is not there: exit code 4", async () => {
    const { code, err } = await ctl(["status", "--socket", "/nonexistent/d.sock"]);
    expect(code).toBe(4);
    expect(err).toContain("ployzctl daemon install");
  });

  it("give up at --timeout", async () => {
    const silent = await fakeDaemon({ "GET /v1/status": () => new Promise(() => {}) });
    try {
      const { code, err } = await ctl(["status", "--timeout", "50ms", "--socket", silent.socket]);
      expect(err).toContain("no result within 50 ms");
      expect(code).toBe(4);
    } finally {
      await silent.close();
    }
  });
});

describe("names", () => {
  const bad = ["a;reboot", "$(id)", "-x/../y", "../etc", "a\nb", "A", "a".repeat(65_536), "", "a/b/c", "a b"];
  it.each(bad.map((name) => [name.slice(0, 20), name]))(
    "%j is refused and never sent",
    async (_shown, name) => {
      for (const argv of [
        ["ps", "--", name],
        ["logs", "--", name],
        ["namespace", "show", "--", name],
        ["namespace", "rm", "--yes", "--", name],
        ["history", "--", name],
        ["show", "--", name],
        ["rollback", "--", name],
        ["promote", "--", name, "prod"],
        ["branch", "apply", "--", "prod", name],
        ["volume", "show", "--", name],
        ["migrate", "apply", "--to", "m2", "--", name],
        ["machine", "show", "--", name],
        ["ops", "show", "--", name],
        ["mesh", "init", "--", name],
      ]) {
        const { code } = await ctl(["--socket", daemon.socket, ...argv]);
        expect({ argv: argv.slice(0, 2), code }).toEqual({ argv: argv.slice(0, 2), code: 2 });
      }
      expect(daemon.received).toEqual([]);
    },
  );
});

it("every command has help, a summary of one line, and a path of its own", async () => {
  const paths = COMMANDS.map(({ path }) => path.join(" "));
  expect(new Set(paths).size).toBe(paths.length);
  for (const { path, summary } of COMMANDS) {
    expect(summary).toMatch(/^[A-Z"].*[^.]$/);
    const { code, out } = await ctl([...path, "--help"]);
    expect({ path, code }).toEqual({ path, code: 0 });
    expect(out).toContain(`usage: ployzctl ${path.join(" ")}`);
  }
});

it.each(["bash", "zsh", "fish"])("completes in %s", async (shell) => {
  const { code, out } = await ctl(["completion", shell]);
  expect(code).toBe(0);
  expect(out).toContain("deploy");
});
