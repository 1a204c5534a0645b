import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, node, openCluster, webBundle, webManifest } from "../src/cluster.ts";
import { difference, type Inventory, inventory } from "../src/inventory.ts";
import { started } from "../src/started.ts";

let cluster: Cluster;
/** v1, deployed once; whatever fails afterwards must leave exactly this. */
let before: Inventory;
let pids: string;

type Result = {
  readonly kind: string;
  readonly state?: string;
  readonly operation?: string;
  readonly error?: { readonly code: string; readonly message: string; readonly operationId?: string };
};

beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, webManifest(), webBundle)]);
  before = await inventory(cluster);
  pids = await workloads();
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** What runs of v1: instance, start and pid, on every machine. */
async function workloads(): Promise<string> {
  const { instances } = await cluster.json<{ instances: readonly Record<string, unknown>[] }>(1, ["ps"]);
  return JSON.stringify(instances.map(({ id, pid, state, restarts }) => [id, pid, state, restarts]));
}

/** v1 as it was, and not one file, process, interface, address or lease more than before. */
async function untouched(): Promise<void> {
  expect(await workloads()).toBe(pids);
  expect(difference(before, await inventory(cluster))).toEqual([]);
  for (const machine of [1, 2, 3]) {
    expect((await cluster.get(machine, "www.example.test")).body).toContain('"version":"v1"');
  }
}

const deploy = async (machine: number, manifest: string, ok: readonly number[], bundles = webBundle) =>
  cluster.ctl(machine, ["deploy", "-f", await cluster.put(machine, manifest, bundles)], { ok });

describe("a v2 that cannot run", () => {
  it("and never becomes ready: exit 1 at its time-out, with its log lines", async () => {
    const manifest = webManifest({ version: "v2", env: { MODE: "never-ready" }, readyTimeout: "3s" });
    const asked = performance.now();
    const { stdout, stderr } = await deploy(2, manifest, [1]);
    expect(performance.now() - asked).toBeLessThan(20_000);
    expect(stdout + stderr).toMatch(/web\.\d ready on m\d/);
    expect(stdout + stderr).toContain("GET /healthz answered 503");
    expect(stdout + stderr).toContain("still warming the flux capacitor");
    await untouched();
  });

  it("and crashes at start: exit 1 at once, with its exit code and last words", async () => {
    const manifest = webManifest({ version: "v2", env: { MODE: "crash" }, readyTimeout: "60s" });
    const asked = performance.now();
    const { stdout, stderr } = await deploy(3, manifest, [1]);
    expect(performance.now() - asked).toBeLessThan(15_000);
    expect(stdout + stderr).toContain("exit code 7");
    expect(stdout + stderr).toContain("cannot find the flux capacitor");
    await untouched();
  });

  it("and has a program that is not there: exit 1, and the program is named", async () => {
    const manifest = webManifest({ version: "v2" }).replace(`"${node}"`, '"/opt/nothing"');
    const { stdout, stderr } = await deploy(1, manifest, [1]);
    expect(stdout + stderr).toContain("/opt/nothing");
    await untouched();
  });

  it("and names a bundle or an image that cannot be had: nothing is started", async () => {
    const folder = await deploy(1, webManifest({ version: "v2" }), [2], {} as typeof webBundle);
    expect(folder.stderr).toContain("./web");
    const image = webManifest({ version: "v2" }).replace(/^bundle.*$/m, 'image = "example.test/none:1"');
    const { stderr } = await deploy(1, image, [3]);
    expect(stderr).toMatch(/image|Docker/);
    await untouched();
  });

  it.each([
    ["fails", '["/bin/sh", "-c", "echo no such table >&2; exit 3"]', "", /exit code 3/],
    [
      "takes too long",
      '["/bin/sh", "-c", "echo no such table; sleep 60"]',
      'timeout = "2s"',
      /did not end within 2000 ms/,
    ],
  ])("because a job that it needs %s: exit 1, with the job's log", async (_how, command, extra, reason) => {
    const job = `\n[jobs.migrate]\nbundle = "./web"\ncommand = ${command}\n${extra}\n`;
    const manifest = `${webManifest({ version: "v2" })}after = ["migrate"]\n${job}`;
    const { stdout, stderr } = await deploy(2, manifest, [1]);
    expect(stdout + stderr).toMatch(reason);
    expect(stdout + stderr).toContain("no such table");
    await untouched();
  });
});

describe("while a deploy runs", () => {
  const slow = (ms: number) =>
    webManifest({ version: "v2", env: { START_MS: String(ms) }, readyTimeout: "60s" });
  const begin = async (machine: number, manifest: string) =>
    started(cluster, machine, ["deploy", "-f", await cluster.put(machine, manifest, webBundle)]);

  it("Ctrl-C undoes it: exit 130", async () => {
    const running = await begin(2, slow(60_000));
    await running.event(({ type, step }) => type === "step" && step?.startsWith("ready") === true);
    await running.signal("SIGINT");
    expect((await running.done).exitCode).toBe(130);
    await untouched();
  });

  it("another to the same namespace is refused at once, naming it; watched and aborted from elsewhere", async () => {
    const running = await begin(2, slow(60_000));
    const id = await running.operation;
    await running.event(({ type, step }) => type === "step" && step?.startsWith("ready") === true);

    const asked = performance.now();
    const second = await deploy(3, webManifest({ version: "v3" }), [3]);
    expect(performance.now() - asked).toBeLessThan(5_000);
    expect(second.stderr).toContain(id);
    const other = webManifest({ namespace: "else", host: "else.example.test", replicas: 1 });
    await deploy(3, other, [0]);
    before = await inventory(cluster); // with the other namespace and the running candidates, until:

    const watched = cluster.ctl(3, ["ops", "watch", id], { ok: [130] });
    await cluster.ctl(1, ["ops", "abort", id]);
    expect((await watched).stderr).toContain("aborted");
    expect((await running.done).exitCode).toBe(130);
    const left = await inventory(cluster);
    // Exactly the planned instances were removed.
    expect(difference(before, left).filter((line) => line.startsWith("+"))).toEqual([]);
    expect(JSON.stringify(left)).not.toContain(id.slice(-8).toLowerCase());
    before = left;
    pids = await workloads();
    await untouched();
  });

  it("Ctrl-C after the commit only leaves: v2 is there", async () => {
    const running = await begin(2, slow(0));
    await running.event(({ type }) => type === "committed");
    await running.signal("SIGINT");
    const { exitCode, stdout } = await running.done;
    // It may have been quicker than the signal.
    expect([0, 5]).toContain(exitCode);
    const { operation } = JSON.parse(stdout) as Result;
    const watched = await cluster.json<Result>(1, ["ops", "watch", operation ?? ""]);
    expect(watched.state).toBe("done");
    expect((await cluster.get(1, "www.example.test")).body).toContain('"version":"v2"');
    expect(difference(before, await inventory(cluster))).toEqual([]);
  });
});
