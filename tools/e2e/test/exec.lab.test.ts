import { waitFor } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../src/cluster.ts";

/** Three machines, one instance of a service on each; m1 alone holds the store. */
let cluster: Cluster;
const ANY = Array.from({ length: 256 }, (_, code) => code);
const sh = (i: number, script: string) =>
  cluster.lab.sh(i, ["sh", "-c", script], { okExitCodes: ANY, timeoutMs: 200_000 });
const exec = (i: number, instance: string, ...command: readonly string[]) =>
  cluster.ctl(i, ["exec", instance, "--", ...command], { ok: ANY });
/** Which slot is on which machine. */
let slots: ReadonlyMap<number, number>;
const on = (machine: number) => `prod/web.${slots.get(machine)}`;
/** Programs of that name on a machine, instances included. */
const count = async (i: number, [first, ...rest]: string) =>
  Number(
    (
      await sh(
        i,
        `cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o '[${first}]${rest.join("")}' | wc -l`,
      )
    ).stdout,
  );
const none = (i: number, program: string, timeoutMs = 5_000) =>
  waitFor(`no ${program} on m${i}`, async () => ((await count(i, program)) === 0 ? true : undefined), {
    timeoutMs,
  });
const some = (i: number, program: string) =>
  waitFor(`${program} on m${i}`, async () => ((await count(i, program)) > 0 ? true : undefined), {
    timeoutMs: 10_000,
  });

beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  await cluster.ctl(1, [
    "deploy",
    "-f",
    await cluster.put(1, webManifest({ env: { COLOUR: "blue" } }), webBundle),
  ]);
  const { instances } = await cluster.json<{ instances: { machine: string; slot: number }[] }>(1, ["ps"]);
  slots = new Map(instances.map(({ machine, slot }) => [Number(machine.slice(1)), slot]));
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

it("a program runs in an instance of any machine, through any machine, as the instance runs", async () => {
  for (const from of [1, 2])
    for (const to of [1, 2, 3]) {
      const { stdout, exitCode } = await exec(
        from,
        on(to),
        "sh",
        "-c",
        'echo "$COLOUR $(hostname) $(id -u)"; pwd',
      );
      expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^blue web-\d [1-9]\d*\n\/app\n$/)]);
    }
  const { stdout, stderr } = await exec(2, "prod/web", "hostname");
  expect(stdout).toBe(`web-${slots.get(2)}\n`);
  expect(stderr).toContain(`using ${on(2)} on m2`);
});

it("exit codes are a shell's, and wrong names are refused", async () => {
  const code = async (...command: readonly string[]) => (await exec(1, on(3), ...command)).exitCode;
  expect(await code("sh", "-c", "exit 42")).toBe(42);
  expect(await code("no-such-program")).toBe(127);
  expect(await code("/etc")).toBe(126);
  expect(await code("sh", "-c", "kill -TERM $$")).toBe(143);
  const refused = async (instance: string) => (await exec(1, instance, "true")).stderr;
  expect(await refused("prod/wbe")).toContain("nothing is deployed as prod/wbe");
  expect(await refused("prod/web.9")).toContain("has no instance 9");
  expect((await cluster.ctl(1, ["exec", "prod/web", "--json", "--", "true"], { ok: [2] })).stdout).toContain(
    "--json",
  );
});

it("256 MiB go through cat unchanged, and no daemon grows", async () => {
  await sh(2, "head -c 268435456 /dev/urandom > /root/big");
  const peak = async (i: number) =>
    Number(
      (
        await sh(i, "for p in $(pgrep -f '[p]loyzd.* run'); do grep VmHWM /proc/$p/status; done")
      ).stdout.match(/\d+/)?.[0] ?? 0,
    );
  const began = performance.now();
  const { stdout } = await sh(
    2,
    `sha256sum < /root/big; ployzctl exec -i ${on(3)} -- cat < /root/big | sha256sum`,
  );
  console.log(
    `256 MiB both ways in ${Math.round(performance.now() - began)} ms; peaks ${await peak(2)} and ${await peak(3)} kB`,
  );
  const [sent, came] = stdout.trim().split("\n");
  expect(came).toBe(sent);
  for (const i of [2, 3]) expect(await peak(i)).toBeLessThan(400_000);
  await sh(2, "rm /root/big");
});

it("on a terminal, it has the caller's size and its resizes, and Ctrl-C is a key", async () => {
  const typed = (keys: string, command: string) =>
    sh(
      1,
      `(${keys}) | script -qec "stty rows 33 cols 101; ployzctl exec -it ${on(2)} -- ${command}" /dev/null`,
    );
  expect(
    (await typed("sleep 3; echo word; sleep 1", "sh -c 'stty size; read x; echo got \\$x'")).stdout,
  ).toMatch(/^33 101\r\nword\r\ngot word\r\n/);
  const { stdout } = await typed(
    "sleep 3; printf '\\003'; sleep 2",
    "sh -c 'trap \\\"echo caught; exit 9\\\" INT; sleep 60'",
  );
  expect(stdout).toContain("caught");
});

it("a signal reaches the program; a killed ployzctl, daemon or machine leaves none of it", async () => {
  const start = (name: string) => sh(1, `setsid ployzctl exec ${on(3)} -- sleep ${name} >/dev/null 2>&1 &`);
  await start("7001");
  await some(3, "sleep 7001");
  await sh(1, "pkill -INT -f '[p]rod/web.*sleep 7001'");
  await none(3, "sleep 7001");

  await start("7002");
  await some(3, "sleep 7002");
  await sh(1, "pkill -KILL -f '[p]rod/web.*sleep 7002'");
  await none(3, "sleep 7002");

  await start("7003");
  await some(3, "sleep 7003");
  await sh(3, "pkill -KILL -f '[p]loyzd.* run'");
  await none(3, "sleep 7003", 30_000);
  await none(1, "sleep 7003", 30_000);
  await waitFor(
    "the daemon of m3",
    async () => ((await exec(1, on(3), "true")).exitCode === 0 ? true : undefined),
    { timeoutMs: 30_000 },
  );

  await start("7004");
  await some(3, "sleep 7004");
  await cluster.lab.partition(1, 3);
  await none(3, "sleep 7004", 40_000);
  await none(1, "sleep 7004", 40_000);
  await cluster.lab.heal();
});

it("the operation log has who ran which program, and where, without private arguments", async () => {
  await exec(1, on(2), "echo", "seen");
  await cluster.ctl(1, ["exec", on(2), "--no-record", "--", "echo", "unseen"]);
  const list = await waitFor(
    "both records",
    async () => {
      const { stdout } = await cluster.ctl(1, ["ops", "ls", "--json"]);
      return stdout.includes(`exec ${on(2)}: echo seen`) ? stdout : undefined;
    },
    { timeoutMs: 10_000 },
  );
  expect(list).toContain(`"title":"exec ${on(2)}"`);
  expect(list).not.toContain("unseen");
});

it("files and folders are copied both ways, and a port is forwarded", async () => {
  await sh(
    1,
    "mkdir -p /root/seed/sub && echo one > /root/seed/a && echo two > /root/seed/sub/b && chmod -R a+rX /root/seed",
  );
  await cluster.ctl(1, ["cp", "/root/seed", `${on(3)}:/tmp/new`]);
  await cluster.ctl(1, ["cp", "/root/seed/a", `${on(3)}:/tmp`]);
  expect((await exec(1, on(3), "cat", "/tmp/new/sub/b", "/tmp/a")).stdout).toBe("two\none\n");
  await cluster.ctl(2, ["cp", `${on(3)}:/tmp/new`, "/root/back"]);
  await cluster.ctl(2, ["cp", `${on(3)}:/tmp/a`, "/root"]);
  expect((await sh(2, "cat /root/back/sub/b /root/a")).stdout).toBe("two\none\n");
  const missing = await cluster.ctl(2, ["cp", `${on(3)}:/tmp/none`, "/root/x"], { ok: [3] });
  expect(missing.stderr).toContain("/tmp/none could not be read");
  expect((await sh(2, "ls -A /root | grep ployz-cp; ls -d /root/x")).stdout).toBe("");

  const script = `ployzctl port-forward ${on(3)} 18080:8080 & sleep 2; curl -s http://127.0.0.1:18080/healthz -o /dev/null -w '%{http_code}'; kill -INT $!; wait $!; echo " $?"`;
  expect((await sh(1, script)).stdout).toBe("200\n 0\n");
});

it("a service is restarted, scaled, stopped and started; stopped, it stays so over a restart of the machine", async () => {
  type Ps = {
    readonly instances: readonly { readonly id: string; readonly service: string }[];
    readonly stopped?: readonly string[];
  };
  const ids = async () => (await cluster.json<Ps>(1, ["ps", "prod/web"])).instances.map(({ id }) => id);
  const before = await ids();
  await cluster.ctl(1, ["restart", "prod/web", "-n"]);
  expect(await ids()).toEqual(before);
  await cluster.ctl(1, ["restart", "prod/web"]);
  const after = await ids();
  expect(after).toHaveLength(3);
  expect(after.filter((id) => before.includes(id))).toEqual([]);
  await cluster.ctl(1, ["scale", "prod/web=4"]);
  expect(await ids()).toEqual(expect.arrayContaining(after));
  await cluster.ctl(1, ["stop", "prod/web"]);
  await sh(3, "pkill -KILL -f '[p]loyzd.* run'");
  expect((await cluster.get(1, "www.example.test")).status).toBe(503);
  const stopped = await cluster.ctl(1, ["ps"]);
  expect(stopped.stdout).toContain("stopped: prod/web");
  expect((await cluster.ctl(1, ["status"])).stdout).toContain("web(stopped)");
  expect(await ids()).toEqual([]);
  await cluster.ctl(1, ["start", "prod/web"]);
  expect(await ids()).toHaveLength(4);
  await cluster.ctl(1, ["scale", "prod/web=3"]);
  expect((await cluster.get(1, "www.example.test")).status).toBe(200);
  const { instances } = await cluster.json<{ instances: { machine: string; slot: number }[] }>(1, ["ps"]);
  slots = new Map(instances.map(({ machine, slot }) => [Number(machine.slice(1)), slot]));
});

it("it works while the store is away", async () => {
  await cluster.lab.cut(1);
  const [from, to] = slots.has(3) ? [2, 3] : [3, 2]; // m1 has the store
  const { stdout, exitCode } = await exec(from, on(to), "hostname");
  expect([exitCode, stdout]).toEqual([0, `web-${slots.get(to)}\n`]);
  await cluster.lab.on(1);
});
