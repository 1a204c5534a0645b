import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, fixtures, node, openCluster } from "../../src/cluster.ts";
import { within } from "../../src/survive.ts";

/** A service with one writer and a route on one of two machines. */
let cluster: Cluster;
const ANY = Array.from({ length: 256 }, (_, code) => code);
const sh = (i: number, script: string) =>
  cluster.lab.sh(i, ["sh", "-c", script], { okExitCodes: ANY, timeoutMs: 120_000 });
const ctl = (i: number, ...argv: readonly string[]) => cluster.ctl(i, argv, { ok: ANY, timeoutMs: 120_000 });
const alone = ["run", "prod/db", "--with-volumes-of", "prod/db", "--stop"] as const;
interface Listed {
  readonly instances: readonly { readonly id: string; readonly machine: string; readonly state: string }[];
}
const ps = async () => (await cluster.json<Listed>(1, ["ps", "prod/db"])).instances;
/** A request that waits is no answer. */
const serves = async () => (await cluster.get(1, "db.test").catch(() => undefined))?.status === 200;
let id = "";
let [here, there] = [1, 2];

/** The same instance serves, and nothing of a run is left. */
const back = () =>
  within("the service runs again", 90_000, async () => {
    const found = await ps();
    return found.length === 1 && found[0]?.id === id && found[0].state === "running" && (await serves())
      ? true
      : undefined;
  });
/** Starts a run that lasts, by machine `i`; resolves when its program has begun. */
async function begin(i: number, mark: string, options = ""): Promise<void> {
  const command = `ployzctl ${alone.join(" ")} ${options} -- sh -c 'echo begun; sleep 600'`;
  await sh(i, `${command} >/tmp/${mark} 2>/tmp/${mark}.err & echo $! >/tmp/${mark}.pid`);
  await within(`${mark} has begun`, 60_000, async () =>
    (await sh(i, `cat /tmp/${mark}`)).stdout === "begun\n" ? true : undefined,
  );
}

beforeAll(async () => {
  cluster = await openCluster({ machines: 2, volumes: true });
  const manifest = `namespace = "prod"
[services.db]
bundle = "./health"
command = ["${node}", "server.mjs"]
ports = { http = 8080 }
ready = { http = "/", port = "http" }
stop_grace = "1s"
volumes = { data = "/data" }
routes = [{ host = "db.test", port = "http" }]
[services.web]
bundle = "./health"
command = ["${node}", "server.mjs"]
[volumes.data]
quota = "100M"
`;
  await cluster.ctl(1, [
    "deploy",
    "-f",
    await cluster.put(1, manifest, { health: join(fixtures, "health") }),
  ]);
  const [one] = await ps();
  id = one?.id ?? "";
  here = Number(one?.machine.slice(1));
  there = 3 - here;
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("is refused beside the writer; with --stop it has the volume, its output and its exit code, and requests wait", async () => {
  const refused = await ctl(there, "run", "prod/db", "--with-volumes-of", "prod/db", "--", "true");
  expect(refused.exitCode).toBe(3);
  expect(refused.stderr).toContain("--stop stops it meanwhile");
  expect((await ctl(there, ...alone, "-n", "--", "true")).stdout).toContain("nothing has changed yet");
  const script = "echo begun; echo kept >/data/kept; echo oops >&2; sleep 3; exit 7";
  const asked = sh(
    1,
    "sleep 1; curl -s -m 60 -o /dev/null -w %{http_code} -H 'Host: db.test' http://127.0.0.1/",
  );
  const ran = await ctl(there, ...alone, "--", "sh", "-c", script);
  expect([ran.exitCode, ran.stdout]).toEqual([7, "begun\n"]);
  expect(ran.stderr).toContain("oops\n");
  expect((await asked).stdout).toBe("200");
  await back();
  const read = await ctl(there, ...alone, "--", "cat", "/data/kept");
  expect([read.exitCode, read.stdout]).toEqual([0, "kept\n"]);
  await back();
});

it("a kept run is listed with its exit code, also by the next daemon, until it is removed", async () => {
  const ran = await ctl(1, "run", "prod/web", "--keep", "--", "sh", "-c", "echo said; exit 5");
  expect([ran.exitCode, ran.stdout]).toEqual([5, "said\n"]);
  const [, run = ""] = /to remove it: ployzctl run stop (\S+)/.exec(ran.stderr) ?? [];
  expect(run).toMatch(/^prod\.web\.run\./);
  for (const i of [1, 2]) await sh(i, "kill -9 $(pgrep -f '[p]loyzd.* run')");
  await within("it is listed", 60_000, async () =>
    (await ctl(1, "ps", "prod", "-o", "wide")).stdout.includes("kept, exit 5") ? true : undefined,
  );
  expect((await ctl(1, "logs", "prod/web", "--instance", run)).stdout).toContain("said");
  expect((await ctl(1, "namespace", "rm", "prod", "-n")).stdout).toContain(
    `a run of it stays: ployzctl run stop ${run}`,
  );
  expect((await ctl(2, "run", "stop", run)).exitCode).toBe(0);
  expect((await ctl(1, "run", "ls")).stdout).not.toContain(run);
  expect((await ctl(1, "logs", "prod/web", "--instance", run)).stdout).toContain("said");
});

it("the service comes back when the daemon that coordinates is killed, also from another machine", async () => {
  for (const coordinator of [there, here]) {
    await begin(coordinator, `daemon${coordinator}`);
    await sh(coordinator, "kill -9 $(pgrep -f '[p]loyzd.* run')");
    await back();
  }
});

it("a killed ployzctl ends nothing; Ctrl-C and the limit end the run, and the service comes back", async () => {
  await begin(there, "client", "--limit 20s");
  await sh(there, "kill -9 $(cat /tmp/client.pid)");
  expect((await ctl(1, "ops", "ls")).stdout).toMatch(/volume-run.* running|running.*volume-run/);
  await back();
  await begin(there, "interrupt");
  await sh(there, "kill -INT $(cat /tmp/interrupt.pid)");
  await back();
});

/** Types into an interactive run on a terminal of machine `i`. */
const typed = (i: number, keys: string, command: string) =>
  sh(
    i,
    `(${keys}) | script -qec "stty rows 33 cols 101; ployzctl run -it --rm ${alone.slice(1).join(" ")} -- ${command}; echo code \\$?" /dev/null`,
  );

it("an interactive run has a terminal, the volume and its exit code, and the service runs again", async () => {
  const { stdout } = await typed(
    there,
    "sleep 25; echo cat /data/kept; sleep 1; echo stty size; sleep 1; echo exit 9; sleep 15",
    "sh",
  );
  for (const part of ["kept\r\n", "33 101\r\n", "prod/db runs again", "code 9\r\n"])
    expect(stdout).toContain(part);
  await back();
  const [last] = (
    await cluster.json<{ operations: readonly { state: string; primitive: string }[] }>(1, ["ops", "ls"])
  ).operations;
  expect(last).toMatchObject({ primitive: "volume-run", state: "done" });
});

it("an interactive run ends with its connection, its daemons and its machine, and the service runs again", async () => {
  const start = async (mark: string) => {
    await sh(
      there,
      `setsid ployzctl run -i ${alone.slice(1).join(" ")} -- sh -c 'echo begun; sleep 600; : ${mark}' </dev/zero >/tmp/${mark} 2>/tmp/${mark}.err & echo $! >/tmp/${mark}.pid`,
    );
    await within(`${mark} has begun`, 60_000, async () =>
      (await sh(there, `cat /tmp/${mark}`)).stdout === "begun\n" ? true : undefined,
    );
  };
  const ended = async (mark: string) => {
    await back();
    expect((await sh(here, `pgrep -f '[:] ${mark}' | wc -l`)).stdout.trim()).toBe("0");
    expect((await sh(here, "ployzctl ps prod -o wide")).stdout).not.toContain(".once.");
  };
  await start("session1");
  await sh(there, "kill -9 $(cat /tmp/session1.pid)");
  await ended("session1");
  for (const [mark, machine] of [
    ["session2", there],
    ["session3", here],
  ] as const) {
    await start(mark);
    await sh(machine, "kill -9 $(pgrep -f '[p]loyzd.* run')");
    await ended(mark);
  }
  await start("session4");
  await cluster.lab.partition(1, 2);
  // Its machine has killed the program before the operation continues.
  await within("no process is left", 60_000, async () =>
    (await sh(here, "pgrep -f '[:] session4' | wc -l")).stdout.trim() === "0" ? true : undefined,
  );
  await cluster.lab.heal();
  await ended("session4");
});

it("the service comes back after a power cut of its machine", async () => {
  await begin(there, "power");
  await cluster.lab.cut(here);
  await cluster.lab.on(here);
  await back();
});
