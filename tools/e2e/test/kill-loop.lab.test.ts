import { signalProcess } from "@ployz/exec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster, webBundle, webManifest } from "../src/cluster.ts";
import { inventory } from "../src/inventory.ts";
import { answers, daemonOf } from "../src/kill.ts";
import { type DeployLoop, deployLoop } from "../src/kill-loop.ts";
import { started } from "../src/started.ts";

// Samples; every event of the journal is killed at in nightly/kill-loop.lab.test.ts.
let cluster: Cluster;
let loop: DeployLoop;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  loop = await deployLoop(cluster);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const at = (share: number) => Math.floor((loop.length - 1) * share);

describe("kill -9 of ployzd in the middle of a deploy, then the same command on another machine", () => {
  it.each([0, 0.6])("when the coordinator comes back (%s of its journal)", async (share) => {
    expect(loop.length).toBeGreaterThan(20);
    await loop.restarts(at(share));
  });
  it.each([0.4])("a participant's: the command succeeds (%s of its journal)", async (share) => {
    await loop.participant(at(share), 3);
  });

  it("what a stop-first deploy has stopped is not started again by a daemon that comes back", async () => {
    const manifest = (version: string, startMs: number) =>
      webManifest({
        version,
        namespace: "solo",
        host: "solo.example.test",
        replicas: 1,
        env: { START_MS: String(startMs) },
        extra: 'update = "stop-first"\nconstraints = { machines = ["m3"] }\n',
      });
    await cluster.ctl(2, ["deploy", "-f", await cluster.put(2, manifest("v1", 0), webBundle)]);
    const next = await cluster.put(2, manifest("v2", 5_000), webBundle);
    const running = await started(cluster, 2, ["deploy", "-f", next]);
    await running.event(
      ({ type, step, state }) => type === "step" && state === "done" && step?.startsWith("start ") === true,
    );
    await signalProcess(await daemonOf(cluster, 3), "SIGKILL");
    await answers(cluster, 3);
    const { instances } = await cluster.json<{
      instances: readonly { namespace: string; state: string; pid?: number }[];
    }>(3, ["ps"]);
    const alive = (await inventory(cluster, [3])).m3?.filter(
      (line) => line.startsWith("workload ") && line.endsWith("tini"),
    );
    expect(instances.filter(({ namespace }) => namespace === "solo").map(({ state }) => state)).toEqual([
      "exited",
      "stray", // the candidate
    ]);
    expect(alive).toHaveLength(2); // prod's, and the candidate
    expect((await running.done).exitCode).toBe(0);
    expect((await cluster.get(1, "solo.example.test")).body).toContain('"version":"v2"');
  });
});
