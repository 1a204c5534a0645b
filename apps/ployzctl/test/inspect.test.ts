import { afterEach, beforeEach, expect, it } from "vitest";
import { Events, type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

const row = (service: string, state: string) => ({
  ...{ id: `prod.${service}.1.x`, namespace: "prod", service, slot: 1, machine: "m1", address: "10.101.1.2" },
  ...{ committed: true, state },
});
const line = (service: string, text: string) => ({
  ...{ type: "line", machine: "m1", namespace: "prod", service, instance: `prod.${service}.1.x` },
  ...{ time: "2026-01-01T00:00:00Z", stream: "stdout", line: text },
});

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await fakeDaemon({
    "GET /v1/ps": () => ({
      kind: "instances",
      instances: [
        row("web", "running"),
        {
          ...row("db", "exited"),
          hostPorts: [
            { protocol: "tcp", port: 9000, to: "http" },
            { protocol: "udp", port: 5353, address: "192.0.2.7", to: "dns" },
          ],
        },
      ],
      unreachable: ["m3"],
      standbys: [
        { namespace: "prod", volume: "pgdata", machine: "m2", state: "current", lagMs: 12_000 },
        { namespace: "prod", volume: "files", machine: "m3", state: "none" },
      ],
    }),
    "GET /v1/logs": () =>
      new Events([
        line("web", "up \u001b]0;title\u0007\u001b[31mred\u001b[0m"),
        { type: "gap", machine: "m3", error: { code: "x", message: "gone" } },
      ]),
    "GET /v1/status": () => ({
      ...{ kind: "status", self: "m1", machines: [], namespaces: [], operations: [] },
      store: { state: "unreachable", machines: ["m1"], generation: 2 },
      warnings: [{ message: "the store is gone", hint: "look at m1" }],
    }),
    "GET /v1/doctor": () => ({
      kind: "doctor",
      ok: false,
      checks: [
        { id: "a", title: "haproxy", state: "fail", found: "missing", fix: "apt-get install haproxy" },
      ],
    }),
  });
});
afterEach(() => daemon.close());
const run = (...argv: string[]) => ctl(["--socket", daemon.socket, ...argv]);

it("prints a table for people and tabs for programs", async () => {
  const human = await run("ps", "prod");
  expect(human.out).toMatch(/^NAMESPACE +SERVICE/);
  expect(human.out).toContain("unreachable, state unknown: m3");
  expect(human.out).toContain("standby of prod/pgdata on m2: 12.0 s");
  expect(human.out).toContain("standby of prod/files on m3: no copy yet");
  expect(daemon.received[0]?.query).toEqual({ namespace: "prod" });
  const plain = await run("ps", "prod/web", "--plain");
  expect(plain.out).toBe("prod\tweb\t1\tm1\t10.101.1.2\trunning\t-\t-\t-\tprod.web.1.x\t-\t-\n");
  expect((await run("ps", "-q")).out).not.toContain("unreachable");
});

it("fits a table to the terminal; -o wide and pipes have all columns", async () => {
  const narrow = await ctl(["ps", "--socket", daemon.socket], { tty: true, env: { NO_COLOR: "1" } });
  expect(narrow.out).toContain("not shown: HOST PORTS, INSTANCE, CPU, RESTARTS (-o wide shows all)");
  expect(narrow.out.split("\n").filter((line) => line.length > 80)).toEqual([]);
  const wide = await ctl(["ps", "-o", "wide", "--socket", daemon.socket], {
    ...{ tty: true, env: { NO_COLOR: "1" } },
  });
  expect(wide.out).toBe((await run("ps")).out);
  expect(wide.out).toContain("RESTARTS");
  expect(wide.out).toContain("9000/tcp>http 192.0.2.7:5353/udp>dns");
});

it("shows the whole cluster with its warnings on one screen", async () => {
  const { out } = await run("status");
  expect(out).toContain("store unreachable on m1, generation 2");
  expect(out).toContain("warning: the store is gone\n  look at m1");
});

it("names the fix of a failed check: exit code 3", async () => {
  const { code, out } = await run("doctor");
  expect(code).toBe(3);
  expect(out).toContain("apt-get install haproxy");
});

it("prefixes log lines with their instance, and passes no control sequences but colours", async () => {
  const { out, err } = await run("logs", "prod/web", "--tail", "5");
  expect(out).toBe("web.1@m1 | up \uFFFD]0;title\uFFFD\u001b[31mred\u001b[0m\n");
  expect(err).toBe("warning: no logs from m3: gone\n");
  expect(daemon.received[0]?.query).toEqual({ target: "prod/web", tail: "5" });
  const json = await run("logs", "prod", "--json");
  expect(JSON.parse(json.out)).toMatchObject({ kind: "logs", events: [{ type: "line" }, { type: "gap" }] });
});

it("events are printed as they come, of an hour unless told; hostile text does not reach the terminal", async () => {
  const at = "2026-11-29T10:00:00.000Z";
  const other = await fakeDaemon({
    "GET /v1/events": () =>
      new Events([
        { type: "following", at },
        {
          ...{ type: "commit", at, namespace: "prod", revision: 7, operation: "OP" },
          primitive: "deploy",
          by: "a\u001b[2J@b",
        },
        { type: "reachable", at, machine: "m2", reachable: false, error: { code: "x", message: "silent" } },
        {
          type: "instance",
          at,
          id: "prod.web.0.x",
          namespace: "prod",
          service: "web",
          machine: "m1",
          state: "exited",
        },
      ]),
  });
  const ask = (...argv: string[]) => ctl(["--socket", other.socket, "events", ...argv]);
  expect((await ask("--plain")).out).toBe(
    [
      `${at}\tcommit\tprod@7\tdeploy\tOP\tby a\uFFFD[2J@b`,
      `${at}\tmachine\tm2\tdoes not answer\tsilent`,
      `${at}\tinstance\tprod.web.0.x\texited\ton m1\n`,
    ].join("\n"),
  );
  expect(other.received.at(-1)?.query).toEqual({ since: "3600000" });
  expect(JSON.parse((await ask("--json")).out)).toMatchObject({
    kind: "events",
    events: [{ type: "following" }, {}, {}, {}],
  });
  expect((await ask("-f", "--json")).out.split("\n").length).toBe(5);
  expect(other.received.at(-1)?.query).toEqual({ follow: "true" });
  expect((await ask("-f", "--since", "5m")).code).toBe(0);
  expect(other.received.at(-1)?.query).toEqual({ follow: "true", since: "300000" });
  expect(await ask("--since", "yesterday")).toMatchObject({
    code: 2,
    err: expect.stringContaining("--since"),
  });
  await other.close();
});

it.each([
  ["volume", "export", "prod/data"],
  ["store", "snapshot"],
])("a file without its folder is refused: %s %s", async (...argv) => {
  expect(await run(...argv, "-o", "/nonexistent/x")).toMatchObject({
    code: 3,
    err: expect.stringContaining("--output: /nonexistent/x: its folder does not exist\nhint: name a file"),
  });
});
