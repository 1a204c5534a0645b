import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { COMMANDS } from "../src/commands/index.ts";
import { GROUPS } from "../src/groups.ts";
import { HINTS, MEANINGS, VERBS as VERB_ALIASES } from "../src/synonyms.ts";
import { type FakeDaemon, failure, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

const everyNoun = Object.assign({}, ...GROUPS.map(({ nouns }) => nouns)) as object;
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
    [["deploy", "--namespace", "a", "--namespace", "b"], "--namespace is given more than once", ""],
    [["daemon", "install", "--runtime", "podman"], '--runtime: "podman" must be one of docker, host', ""],
    [["status", "--timeout", "soon"], '--timeout: "soon" is not a duration', ""],
  ])("%j", async (argv, message, hint) => {
    const { code, out, err } = await ctl(argv);
    expect({ code, out }).toMatchObject({ code: 2 });
    expect(`${out}${err}`).toContain(message);
    expect(`${out}${err}`).toContain(hint);
  });

  it("a noun alone shows its commands", async () => {
    const { code, err } = await ctl(["network"]);
    expect(code).toBe(2);
    expect(err).toMatch(/^ {2}init {2,}Create a cluster/m);
  });
});

describe("errors", () => {
  it("of the daemon keep their code and hint", async () => {
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

/** Verbs that a summary may begin with. */
const VERBS =
  "Abort Add Apply Back Build Check Choose Clone Copy Create Delete Deploy Destroy Export Follow Fork Forward Import Install Issue Join Keep Let List Measure Move Preview Print Publish Rebuild Remove Render Renew Repair Restart Restore Revoke Roll Run Scale Send Separate Set Show Start Stop Store Take Update".split(
    " ",
  );

describe("help", () => {
  const helps = COMMANDS.map(({ path }) => [path.join(" ")]);

  it("has each command once, in one group", () => {
    const paths = COMMANDS.flatMap(({ path, aliases = [] }) =>
      [path, ...aliases].map((one) => one.join(" ")),
    );
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths.length).toBeGreaterThan(70);
    expect(Object.keys(everyNoun).sort()).toEqual([...new Set(COMMANDS.map(({ path }) => path[0]))].sort());
  });

  it.each(COMMANDS.map(({ path, summary }) => [path.join(" "), summary]))("%s: %s", (_path, summary) => {
    expect(VERBS).toContain(summary.split(" ")[0]);
    expect(summary.split(" ").length).toBeGreaterThan(1);
    expect(summary.length).toBeLessThanOrEqual(72);
    expect(summary).not.toMatch(/[.]$|\bwhat\b/);
  });

  it.each(helps)("of %s fits 80 columns and has an example that runs it", async (path) => {
    const { code, out } = await ctl([...path.split(" "), "--help"]);
    expect(code).toBe(0);
    expect(out).toContain(`Usage: ployzctl ${path}`);
    expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
    for (const example of COMMANDS.find((one) => one.path.join(" ") === path)?.examples ?? [])
      expect(example).toContain(`ployzctl ${path === "version" ? "" : path}`);
    expect(await ctl(["help", ...path.split(" ")])).toEqual({ code: 0, out, err: "" });
  });

  it("of all and of each noun fits 80 columns", async () => {
    const top = await ctl(["--help"]);
    expect(await ctl(["help"])).toEqual(top);
    const nouns = await Promise.all(Object.keys(everyNoun).map((noun) => ctl([noun, "--help"])));
    for (const { code, out } of [top, ...nouns]) {
      expect(code).toBe(0);
      expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
    }
    const titles = [...top.out.matchAll(/^([A-Z][A-Za-z ]+):$/gm)].map(([, title]) => title);
    expect(titles).toEqual([
      ...["Run", "Environments", "Data", "Machines", "Cluster", "This machine", "Global flags"],
    ]);
  });
});

describe("names that hands know", () => {
  it.each([
    ["machine list", "machine ls"],
    ["machine invite list", "machine invite ls"],
    ["volume remove", "volume rm"],
    ["namespace delete", "namespace rm"],
    ["branch apply", "branch"],
    ["migrate apply", "migrate"],
    ["deploy apply", "deploy"],
    ["network init", "mesh init"],
  ])("%s is %s", async (alias, path) => {
    expect(await ctl([...alias.split(" "), "--help"])).toEqual(await ctl([...path.split(" "), "--help"]));
  });

  it.each([
    ["login", "--host USER@MACHINE"],
    ["list", "ployzctl ps, ployzctl namespace ls, or ployzctl machine ls"],
    ["ops cancel", "did you mean ployzctl ops abort?"],
    ["volume describe", "did you mean ployzctl volume show?"],
    ["constructor", "ployzctl --help"],
  ])("%s is answered with %s", async (words, hint) => {
    const { code, err } = await ctl(words.split(" "));
    expect(code).toBe(2);
    expect(err).toContain(hint);
  });

  it("suggests only commands that exist", () => {
    const paths = COMMANDS.map(({ path }) => path.join(" "));
    for (const hint of Object.values(HINTS))
      for (const [, words = ""] of hint.matchAll(/ployzctl ([a-z ]+[a-z])/g))
        expect(paths.some((path) => words.startsWith(path) || path.startsWith(`${words} `))).toBe(true);
    for (const verb of Object.keys(MEANINGS)) expect(paths.some((path) => path.endsWith(verb))).toBe(true);
    for (const verb of Object.values(VERB_ALIASES))
      expect(paths.some((path) => path.endsWith(verb))).toBe(true);
  });

  it("prints its version without a daemon", async () => {
    const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
    expect((await ctl(["--version"])).out).toContain(version);
    expect(await ctl(["-V"])).toEqual(await ctl(["--version"]));
    expect(JSON.parse((await ctl(["--version", "--json"])).out)).toMatchObject({
      ...{ kind: "version", version, build: "unknown", node: process.version },
    });
  });
});

describe("colour", () => {
  it.each([
    [{}, false],
    [{ FORCE_COLOR: "1" }, true],
    [{ FORCE_COLOR: "1", TERM: "dumb" }, true],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, false],
    [{ FORCE_COLOR: "0" }, false],
  ])("into a pipe with %j: %j", async (env, colored) => {
    const { err } = await ctl(["ps", "--socket", daemon.socket], { env });
    expect(err.includes("\u001b[")).toBe(colored);
  });

  it.each([
    [{}, true],
    [{ TERM: "dumb" }, false],
    [{ NO_COLOR: "1" }, false],
  ])("on a terminal with %j: %j", async (env, colored) => {
    const { err } = await ctl(["ps", "--socket", daemon.socket], { env, tty: true });
    expect(err.includes("\u001b[")).toBe(colored);
  });
});
