import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../src/cluster.ts";

/** Programs that end, and what an operator sees of them. */
let cluster: Cluster;

beforeAll(async () => {
  cluster = await openCluster({ machines: 2 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const deploy = async (manifest: string, ok: readonly number[] = [0]) =>
  cluster.ctl(1, ["deploy", "-f", await cluster.put(1, manifest, webBundle)], { ok });

const service = (name: string, command: readonly string[], extra = "") => `
[services.${name}]
bundle  = "./web"
command = ${JSON.stringify(command)}
${extra}`;
const shell = (script: string): readonly string[] => ["/bin/sh", "-c", script];

describe("a program that ends is never ready", () => {
  beforeAll(async () => {
    await deploy(webManifest({ replicas: 1 }));
  });

  const unready = (command: readonly string[]) =>
    `${webManifest({ replicas: 1, version: "v2" }).replace(/^command.*$/m, `command = ${JSON.stringify(command)}`)}`.replace(
      /^ready.*$/m,
      "",
    );

  it.each([
    ["fails at once", ["/bin/false"], /exit code 1/],
    ["succeeds at once", ["/bin/true"], /exit code 0/],
    ["is missing", ["/nope"], /exit code 127[\s\S]*nope/],
    ["may not be executed", ["/app/server.mjs"], /exit code 126[\s\S]*server\.mjs/],
    [
      "ends shortly before it has settled",
      shell("sleep 0.8; echo tired >&2; exit 4"),
      /exit code 4[\s\S]*tired/,
    ],
    ["ends without a newline", shell("printf 'FATAL x' >&2; exit 1"), /exit code 1[\s\S]*FATAL x/],
  ])(
    "when it %s: exit 1, with exit code and last lines, and the old version serves",
    async (_, command, why) => {
      const { stdout, stderr } = await deploy(unready(command), [1]);
      expect(stdout + stderr).toMatch(why);
      expect((await cluster.get(1, "www.example.test")).body).toContain('"version":"v1"');
    },
  );

  it("on a busy machine either", async () => {
    const burn = "i=0; while [ $((i+=1)) -le 16 ]; do setsid timeout 15 sh -c 'while :; do :; done' & done";
    await cluster.lab.sh(1, ["sh", "-c", `{ ${burn}; } >/dev/null 2>&1 </dev/null`]);
    for (const command of [["/bin/false"], ["/nope"]]) {
      const { stdout, stderr } = await deploy(unready(command), [1]);
      expect(stdout + stderr).toMatch(/exit code 1/);
    }
  });

  it("also when it ends after it was ready, while another one becomes ready", async () => {
    const early = service("early", shell("sleep 2; exit 3"), 'ready = { settle = "500ms" }');
    const late = service("late", shell("sleep 1000"), 'ready = { settle = "6s" }');
    const { stdout, stderr } = await deploy(`namespace = "brief"\n${early}${late}`, [1]);
    expect(stdout + stderr).toMatch(/early\S* ended with exit code 3/);
  });

  it("when it ends after `settle` it is ready: that long it ran", async () => {
    const lasting = service("brief", shell("sleep 2; exit 3"), 'ready = { settle = "500ms" }');
    await deploy(`namespace = "brief"\n${lasting}`);
    const { stdout, stderr } = await deploy(
      `namespace = "brief"\n${service("brief", shell("sleep 2; exit 3"), 'ready = { settle = "4s" }\nenv = { A = "1" }')}`,
      [1],
    );
    expect(stdout + stderr).toMatch(/exit code 3/);
    await cluster.ctl(1, ["namespace", "rm", "brief", "--yes"]);
  });
});

describe("logs", () => {
  const talk = (tag: string) => shell(`while :; do echo ${tag}; sleep 0.3; done`);
  const talking = (tag: string, replicas: number) =>
    `namespace = "talk"\n${service("web", talk(tag), `replicas = ${replicas}`)}`;

  it("are followed over scaling and a deploy, and merged by time", async () => {
    await deploy(talking("one", 1));
    const follow = "timeout 40 ployzctl logs -f talk/web --plain >/root/followed 2>/root/notes";
    const following = cluster.lab.sh(2, ["sh", "-c", follow], {
      okExitCodes: [0, 124, 143],
      timeoutMs: 60_000,
    });
    await deploy(talking("one", 3));
    await deploy(talking("two", 2));
    await following;
    const { stdout } = await cluster.lab.sh(2, ["cat", "/root/followed"]);
    const rows = stdout
      .trim()
      .split("\n")
      .map((row) => row.split("\t"));
    expect(new Set(rows.map((row) => row[2])).size).toBe(5);
    expect(new Set(rows.map((row) => row[1]))).toEqual(new Set(["m1", "m2"]));
    expect(rows.at(-1)?.[4]).toBe("two");
    const read = (await cluster.ctl(2, ["logs", "talk/web", "--plain"])).stdout.trim().split("\n");
    const times = read.map((row) => row.split("\t")[0] ?? "");
    expect(times).toEqual([...times].sort());
    await cluster.ctl(1, ["namespace", "rm", "talk", "--yes"]);
  });

  it("of a job can be read after it has succeeded, from every machine", async () => {
    const job = `[jobs.migrate]\nbundle = "./web"\ncommand = ["/bin/sh", "-c", "echo step one; printf done"]\n`;
    await deploy(`namespace = "jobs"\n${job}${service("web", shell("sleep 1000"), 'after = ["migrate"]')}`);
    for (const machine of [1, 2])
      expect((await cluster.ctl(machine, ["logs", "jobs/migrate"])).stdout).toMatch(/step one\n.*done/);
    await cluster.ctl(1, ["namespace", "rm", "jobs", "--yes"]);
  });

  it("with an endless line cost no memory and no time", async () => {
    const flood = shell("head -c 150000000 /dev/zero | tr '\\\\0' y; sleep 1000");
    await deploy(`namespace = "flood"\n${service("web", flood, 'resources = { memory = "64M" }')}`);
    const largest = "ps -o rss= -C s6-log | sort -n | tail -1";
    expect(Number((await cluster.lab.sh(1, ["sh", "-c", largest])).stdout)).toBeLessThan(10_000);
    const asked = performance.now();
    await cluster.ctl(1, ["logs", "flood/web", "--tail", "1"]);
    expect(performance.now() - asked).toBeLessThan(5_000);
    await cluster.ctl(1, ["namespace", "rm", "flood", "--yes"]);
  });
});

describe("an instance that restarts again and again", () => {
  type Ps = { readonly instances: readonly { readonly observed?: Record<string, unknown> }[] };
  type Told = { readonly warnings: readonly { readonly message: string; readonly hint: string }[] };

  it("is in ps with its restarts and exit code, and status and doctor warn of it with the command to see why", async () => {
    const greedy = service(
      "greedy",
      shell("sleep 5; x=x; while :; do x=$x$x; done"),
      'resources = { memory = "32M" }',
    );
    const steady = service("steady", shell("sleep 1000"));
    const loop = service("loop", shell("sleep 5; echo tired; exit 3"));
    await deploy(`namespace = "crash"\n${loop}${greedy}${steady}`);
    const warned = async () =>
      (await cluster.json<Told>(2, ["status"])).warnings.filter(({ message }) =>
        message.includes("again and again"),
      );
    await expect.poll(async () => (await warned()).length, { timeout: 60_000, interval: 2_000 }).toBe(2);
    const [first, second] = await warned();
    expect(`${first?.message}${second?.message}`).toMatch(
      /crash\.loop\.\S+ on m\d restarts again and again, \d+ times so far: last exit code 3/,
    );
    expect(`${first?.message}${second?.message}`).toMatch(
      /crash\.greedy\.[\s\S]*exit code 137, killed: out of memory/,
    );
    expect(`${first?.hint}${second?.hint}`).toContain("ployzctl logs crash/loop");
    const { stdout } = await cluster.ctl(1, ["doctor"], { ok: [0, 3] });
    expect(stdout).toMatch(/again and again/);
    const { instances } = await cluster.json<Ps>(1, ["ps", "crash"]);
    const seen = instances.map(({ observed }) => observed ?? {});
    expect(seen.some(({ restarts, exitCode }) => Number(restarts) >= 3 && exitCode === 3)).toBe(true);
    expect(seen.some(({ oomKilled }) => oomKilled === true)).toBe(true);
    expect(seen.some(({ memoryBytes, cpuNanos }) => Number(memoryBytes) > 0 && Number(cpuNanos) > 0)).toBe(
      true,
    );
    await cluster.ctl(1, ["namespace", "rm", "crash", "--yes"]);
  });
});
