import { signalProcess } from "@ployz/exec";
import { describe, expect, it } from "vitest";
import { addLoop } from "../../src/add-loop.ts";
import { openCluster, webBundle, webManifest } from "../../src/cluster.ts";
import { inventory } from "../../src/inventory.ts";
import { answers, daemonOf } from "../../src/kill.ts";
import { deployLoop } from "../../src/kill-loop.ts";
import { started } from "../../src/started.ts";

describe("kill -9 of ployzd", () => {
  it("at every event of the journal of a deploy, then the same command on another machine", async () => {
    await using cluster = await openCluster({ machines: 3 });
    const loop = await deployLoop(cluster);
    const all = Array.from({ length: loop.length }, (_, k) => k);
    for (const k of all) await loop.restarts(k);
    for (const k of all) await loop.restarts(k, 15);
    for (const k of all) for (const machine of [1, 3]) await loop.participant(k, machine);
    for (const k of all) await loop.staysDown(k);
    for (const k of all.slice(0, -3).filter((each) => each % 4 === 1)) await loop.paused(k);
  });

  it("at every event of the journal of a machine add, then the same command on another machine", async () => {
    const targets = 6;
    let length = 1;
    for (let k = 0; k < length; ) {
      await using cluster = await openCluster({ machines: targets + 3, members: 2 });
      const loop = await addLoop(cluster, 3);
      ({ length } = loop);
      expect(length).toBeGreaterThan(10);
      for (let target = 4; target <= targets + 3 && k < length; target++, k++) {
        await loop.round(target, k, { from: k % 3 === 2 ? 2 : 1, staysDown: k % 3 === 1 });
      }
    }
  });

  it("what a stop-first deploy has stopped is not started again by a daemon that comes back", async () => {
    await using cluster = await openCluster({ machines: 3 });
    await cluster.ctl(1, ["deploy", "-f", await cluster.put(1, webManifest({ version: "v1" }), webBundle)]);
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
