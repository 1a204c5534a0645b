import { backupRepositoryAdd } from "../../backup-repository-add/index.ts";
import { backupRun } from "../../backup-run/index.ts";
import type { Outcome } from "../../engine/deps.ts";
import type { MemoryClusterOptions } from "../memory-cluster.ts";
import { apply, deploy, emptyWorld, type World } from "./change.ts";

export const REPOSITORY = "file:/srv/backups";
const CLUSTER = {
  ...{ name: "memory", id: "c1", clusterCidr: "10.101.0.0/16", subnetPrefixLength: 24 },
  generation: 1,
};

/** The namespace `prod`, and the repository `offsite` with `runs` backups of each of its volumes. */
export async function backupWorld(
  toml: string,
  { runs, behaviour }: { readonly runs: number; readonly behaviour?: MemoryClusterOptions["behaviour"] },
): Promise<World> {
  const world = await emptyWorld(["m1", "m2", "m3"], behaviour);
  const { facts } = world.ports.store;
  await facts.put("cluster", CLUSTER, 0);
  await facts.put(
    "secret.ops.offsite",
    { namespace: "ops", name: "offsite", version: "1", at: "", by: "" },
    0,
  );
  const repository = { name: "offsite", url: REPOSITORY, secret: "ops/offsite" };
  done(await apply(world, backupRepositoryAdd, repository));
  done(await deploy(world, toml));
  for (let time = 0; time < runs; time++) done(await apply(world, backupRun, { namespace: "prod" }));
  return world;
}

function done(outcome: Outcome): void {
  if (outcome.kind !== "operation" || outcome.state !== "done") throw new Error(JSON.stringify(outcome));
}
