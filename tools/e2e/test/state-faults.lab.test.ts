import { afterAll, beforeAll, describe, it } from "vitest";
import { type Cluster, openCluster } from "../src/cluster.ts";
import { kill } from "../src/state-attacks.ts";
import { type StateLoop, stateLoop } from "../src/state-loop.ts";

// Samples; every event of the journals, and every phase, is tried in nightly/state-faults.lab.test.ts.
let cluster: Cluster;
let loop: StateLoop;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3, volumes: true });
  loop = await stateLoop(cluster);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

describe("one writer, no acknowledged row lost, nothing left, and the same command finishes, after", () => {
  it("the coordinator dies in a branch", () => loop.round("branch", kill("coordinator", 9)));
  it("the coordinator dies in a rollback with data", () => loop.round("rollback", kill("coordinator", 14)));
  it("the target's daemon dies in a migration", () => loop.round("migrate", kill("target", 14)));
});
