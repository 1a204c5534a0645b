import { steps as all } from "../change/steps/instances.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import { type JobKinds, steps as job } from "../job-run/steps.ts";
import type { Json } from "../model/json.ts";

export type VolumeRunKinds = JobKinds &
  Pick<ChangeKinds, "gateway.hold" | "stop" | "resume" | "gateway.release">;

// Done once: an operation that is continued after its run must not stop the service again.
const { fleeting: _, ...stop } = all.stop;

/** As in a job, and as in a stop-first change. */
export const steps: Primitive<PrimitivePorts, Json, unknown, VolumeRunKinds, Json>["steps"] = {
  ...job,
  "gateway.hold": all["gateway.hold"],
  stop,
  resume: all.resume,
  "gateway.release": all["gateway.release"],
};
