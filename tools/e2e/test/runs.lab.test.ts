import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../src/cluster.ts";

/** Two machines, one instance of a service on each. */
let cluster: Cluster;
const ANY = Array.from({ length: 256 }, (_, code) => code);
const sh = (i: number, script: string) =>
  cluster.lab.sh(i, ["sh", "-c", script], { okExitCodes: ANY, timeoutMs: 60_000 });
const run = (i: number, ...argv: readonly string[]) => cluster.ctl(i, ["run", ...argv], { ok: ANY });
interface Listed {
  readonly runs: readonly { readonly id: string; readonly machine: string; readonly state: string }[];
}
const runs = async () => (await cluster.json<Listed>(1, ["run", "ls"])).runs;
const none = () =>
  waitFor("no run", async () => ((await runs()).length === 0 ? true : undefined), { timeoutMs: 60_000 });
const logs = async (...argv: readonly string[]) =>
  (await cluster.ctl(2, ["logs", ...argv], { ok: ANY })).stdout;

beforeAll(async () => {
  cluster = await openCluster({ machines: 2 });
  await cluster.ctl(1, ["secret", "set", "prod/token"], { input: "hunter2" });
  const manifest = webManifest({ replicas: 2, env: { COLOUR: "blue" } });
  const withSecret = manifest.replace(/env +=\s*\{/, '$& TOKEN = { secret = "token" },');
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, withSecret, webBundle)]);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("a run has what the service has, takes part in its namespace's network, and leaves its exit code", async () => {
  const script = 'echo "$COLOUR $TOKEN $(hostname) $(id -u)"; echo oops >&2; exit 7';
  const { exitCode, stdout, stderr } = await run(2, "prod/web", "--", "sh", "-c", script);
  expect([exitCode, stdout]).toEqual([7, expect.stringMatching(/^blue hunter2 web-run [1-9]\d*\n$/)]);
  expect(stderr).toContain("oops\n");
  const url = "http://web.prod.cluster.local:8080/healthz";
  const curl = ["curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", url];
  expect((await run(1, "prod/web", "--", ...curl)).stdout.trim()).toBe("200");
  expect((await sh(1, "printf 'a\\0b' | ployzctl run -i prod/web -- od -c")).stdout).toContain("a  \\0   b");
  expect((await run(1, "prod/wbe", "--", "true")).stderr).toContain("nothing is deployed as prod/wbe");
  expect((await run(1, "prod/web", "-i", "--", "no-such-program")).exitCode).toBe(127);
  expect((await cluster.ctl(1, ["ops", "ls"])).stdout).toContain("run prod/web");
  await none();
});

it("a detached run outlives its caller and the daemon, is listed, and is stopped; its log stays", async () => {
  const command = "echo begun; sleep 600";
  const started = await run(2, "prod/web", "--detach", "--", "sh", "-c", command);
  const id = started.stdout.trim();
  expect(await runs()).toMatchObject([{ id, state: "running" }]);
  const on = Number((await runs())[0]?.machine.slice(1));
  await waitFor(
    "its line",
    async () => (await logs("prod", "--instance", id)).includes("begun") || undefined,
    {
      timeoutMs: 60_000,
    },
  );
  await sh(on, "kill -9 $(pgrep -f '[p]loyzd.* run')");
  await waitFor("the daemon", async () => ((await runs()).length === 1 ? true : undefined), {
    timeoutMs: 60_000,
  });
  expect((await cluster.ctl(3 - on, ["run", "stop", id])).stdout).toContain(`stopped ${id}`);
  expect(await runs()).toEqual([]);
  expect(await logs("prod", "--instance", id)).toContain("begun");
});

it("a lost connection leaves a run, ends it with --rm, and always one with input", async () => {
  const lose = async (flags: string) => {
    const pid = (
      await sh(
        1,
        `sleep 600 2>/dev/null | ployzctl run ${flags} prod/web -- sleep 500 >/dev/null 2>&1 & echo $!`,
      )
    ).stdout.trim();
    await waitFor("the run", async () => ((await runs()).length === 1 ? true : undefined), {
      timeoutMs: 60_000,
    });
    await sh(1, `kill -9 ${pid}`);
  };
  await lose("");
  const [left] = await runs();
  await cluster.ctl(1, ["run", "stop", left?.id ?? ""]);
  await lose("--rm");
  await none();
  await lose("-i");
  await none();
  for (const i of [1, 2])
    expect((await sh(i, "ls -A /var/lib/ployz/runs; pgrep -fc '[s]leep 500'")).stdout.trim()).toBe("0");
});

it("logs outlive instances, are chosen by time and text, and say which deploy replaced what", async () => {
  await sh(2, "ployzctl logs -f prod/web > /root/followed 2>&1 & echo $! > /root/follower");
  const check =
    'ready = { exec = ["sh", "-c", "curl -sf http://$(hostname -i):8080/healthz"], timeout = "30s" }';
  const manifest = webManifest({ version: "v2", replicas: 2 }).replace(/^ready .*$/m, check);
  await waitFor(
    "the follower",
    async () => (await sh(2, "cat /root/followed")).stdout.includes("v1 starting") || undefined,
    {
      timeoutMs: 60_000,
    },
  );
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest, webBundle)]);
  const previous = await logs("prod/web", "--previous");
  expect([previous.includes("v1 starting"), previous.includes("v2")]).toEqual([true, false]);
  expect(await logs("prod/web")).not.toContain("v1 starting");
  const both = await logs("prod/web", "--since", "10m", "--grep", "starting");
  expect(both.split("\n").filter((line) => line.includes("starting"))).toHaveLength(4);
  expect(both).not.toContain("ending");
  expect(await logs("prod/web", "--until", "2020-01-01")).toBe("");
  await waitFor(
    "the change",
    async () =>
      /prod: deploy \w+ started web\.\d.*ended web/.test((await sh(2, "cat /root/followed")).stdout) ||
      undefined,
    {
      timeoutMs: 60_000,
    },
  );
  expect((await sh(2, "cat /root/followed")).stdout).toContain("v2 starting");
  await sh(2, "kill -INT $(cat /root/follower)");
});
