import type { Payload } from "../host/payload.ts";
import { subnetPlan } from "../mesh/subnets.ts";
import type { RunnerOptions } from "../operations/runner.ts";
import type { Builds } from "../participant/update/builds.ts";
import { lookAtBuilds } from "../participant/update/handlers.ts";

/** What this machine gives to others: to one that is added, and to one that is updated. */
export function installedHere({
  self,
  payload,
  builds,
  storePort,
}: {
  readonly self: string;
  readonly payload: Payload;
  readonly builds: Builds;
  /** Where the store's present generation listens. */
  storePort(): number;
}): Pick<RunnerOptions, "machineAdd" | "source"> {
  return {
    source: {
      machine: self,
      // The operation that asks runs here itself.
      look: async () => ({
        ...(await lookAtBuilds({ payload, builds, running: () => [] })),
        neededBytes: await builds.neededBytes(),
      }),
    },
    machineAdd: {
      payload: { version: payload.version, build: payload.build },
      get storePort() {
        return storePort();
      },
      subnets: subnetPlan,
    },
  };
}
