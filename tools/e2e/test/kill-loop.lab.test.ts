import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, openCluster } from "../src/cluster.ts";
import { type DeployLoop, deployLoop } from "../src/kill-loop.ts";

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
  it.each([0, 0.3, 0.55, 0.8, 1])("when the coordinator comes back (%s of its journal)", async (share) => {
    expect(loop.length).toBeGreaterThan(20);
    await loop.restarts(at(share));
  });
  it.each([0.4, 0.85])("when the coordinator stays dead (%s of its journal)", async (share) => {
    await loop.staysDown(at(share));
  });
  it.each([0.35, 0.6, 0.85])("a participant's: the command succeeds (%s of its journal)", async (share) => {
    await loop.participant(at(share), 3);
  });
});
