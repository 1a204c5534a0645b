import type { Payload } from "../host/payload.ts";
import { subnetPlan } from "../mesh/subnets.ts";
import type { RunnerOptions } from "../operations/runner.ts";
import type { Builds } from "../participant/update/builds.ts";
import { lookAtBuilds } from "../participant/update/handlers.ts";

/** The payload that this machine sends to added and updated machines. */
export function installedHere({
  self,
  payload,
  builds,
  storePort,
}: {
  readonly self: string;
  readonly payload: Payload;
  readonly builds: Builds;
  /** Listen addresses of the store's present generation. */
  storePort(): number;
}): Pick<RunnerOptions, "machineAdd" | "source"> {
  return {
    source: {
      machine: self,
      // The calling operation runs here itself.
      look: async () => ({
        ...(await lookAtBuilds({ payload, builds, running: () => [] })),
        neededBytes: await builds.neededBytes(),
      }),
      signedBy: builds.releases.signedBy,
    },
    machineAdd: {
      payload: { version: payload.version, build: payload.build, arch: payload.arch },
      get storePort() {
        return storePort();
      },
      releases: builds.releases,
      subnets: subnetPlan,
    },
  };
}
