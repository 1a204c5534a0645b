import { expect, it } from "vitest";
import { openCluster } from "../../src/cluster.ts";
import { shapeOf } from "../../src/random/plan.ts";
import { rounds } from "../../src/random/rounds.ts";

/**
 * Random commands under random faults. A seed makes one cluster and its rounds; the next seed follows after PLOYZ_ROUNDS of them (default
 * 12), until PLOYZ_MINUTES (default 120) are over. With PLOYZ_SEED, only that one.
 */
const { PLOYZ_SEED, PLOYZ_ROUNDS = "12", PLOYZ_MINUTES = "120", PLOYZ_FROM = "1" } = process.env;
const until = Date.now() + Number(PLOYZ_MINUTES) * 60_000;
const first = Number(PLOYZ_SEED ?? Date.now() % 1_000_000);

async function seedHolds(seed: number): Promise<readonly string[]> {
  const shape = shapeOf(seed);
  console.log(`PLOYZ_SEED=${seed}: ${shape.machines} machines, the store on ${shape.store}`);
  await using cluster = await openCluster({ machines: shape.machines, volumes: true, smallDisk: true });
  if (shape.store === 3)
    await cluster.ctl(1, ["machine", "storage", "promote", "--replicas", "3", "m1", "m2", "m3"], {
      timeoutMs: 180_000,
    });
  await using running = await rounds(cluster, { seed, shape });
  for (let number = Number(PLOYZ_FROM); number <= Number(PLOYZ_ROUNDS) && Date.now() < until; number++) {
    const violations = await running.round(number);
    if (violations.length > 0) return violations;
  }
  return [];
}

it(
  "loses no acknowledged row, has no two writers, tells the truth and comes to rest, whatever happens at once",
  async () => {
    const found: string[] = [];
    let seed = first;
    do found.push(...(await seedHolds(seed++)));
    while (PLOYZ_SEED === undefined && Date.now() < until);
    expect(found).toEqual([]);
  },
  (Number(PLOYZ_MINUTES) + 60) * 60_000,
);
