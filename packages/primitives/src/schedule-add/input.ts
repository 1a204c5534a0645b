import Type from "typebox";
import { keep, schedule } from "../manifest/schedule-schema.ts";
import { label } from "../model/fields.ts";
import { CLUSTER_RUNS } from "../model/schedule.ts";
import type { Shape } from "../model/shape.ts";

export const Input = Type.Object({
  name: label("Its name among the schedules of the cluster."),
  runs: Type.Enum([...CLUSTER_RUNS], { description: "The operation that it runs." }),
  repository: Type.Optional(
    label("Of `store-backup`: where the backup goes. Default: the cluster's only repository."),
  ),
  keep: Type.Optional(keep),
  schedule,
});
/** Input of the primitive `schedule-add`; the schema above describes each field. */
export type ScheduleAddInput = Shape<typeof Input>;
