import { describe, expect, it } from "vitest";
import { addLoop } from "../../src/add-loop.ts";
import { openCluster } from "../../src/cluster.ts";
import { deployLoop } from "../../src/kill-loop.ts";

describe("kill -9 of ployzd at every event of the journal, then the same command on another machine", () => {
  it("of a deploy", async () => {
    await using cluster = await openCluster({ machines: 3 });
    const loop = await deployLoop(cluster);
    const all = Array.from({ length: loop.length }, (_, k) => k);
    for (const k of all) await loop.restarts(k);
    for (const k of all) await loop.restarts(k, 15);
    for (const k of all) for (const machine of [1, 3]) await loop.participant(k, machine);
    for (const k of all) await loop.staysDown(k);
    for (const k of all.slice(0, -3).filter((each) => each % 4 === 1)) await loop.paused(k);
  });

  it("of a machine add", async () => {
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
});
