import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AddLoop, addLoop } from "../../src/add-loop.ts";
import { type Cluster, openCluster } from "../../src/cluster.ts";

// Samples; every event of the journal is killed at in nightly/kill-loop.lab.test.ts.
let cluster: Cluster;
let loop: AddLoop;
beforeAll(async () => {
  cluster = await openCluster({ machines: 6, members: 2 });
  loop = await addLoop(cluster, 3);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const at = (share: number) => Math.round((loop.length - 1) * share);

describe("kill -9 of the ployzd that adds a machine, then the same command", () => {
  it("from another member, after the seat was taken", async () => {
    expect(loop.length).toBeGreaterThan(10);
    await loop.round(4, at(0.5));
  });
  it("from the same member, while the daemon was installed", () => loop.round(5, at(0.25), { from: 2 }));
  it("from another member, while the first is still dead", () =>
    loop.round(6, at(0.75), { staysDown: true }));
});
