import { steps as all } from "../change/steps/instances.ts";
import type { ChangeKinds } from "../change/steps/kinds.ts";
import type { Primitive, PrimitivePorts } from "../engine/types.ts";
import type { Json } from "../model/json.ts";

export type JobKinds = Pick<
  ChangeKinds,
  | "image.ensure"
  | "bundle.ensure"
  | "reserve"
  | "secrets"
  | "running.announce"
  | "start"
  | "wait"
  | "remove"
  | "running.withdraw"
>;

export const steps: Primitive<PrimitivePorts, Json, unknown, JobKinds, Json>["steps"] = {
  "image.ensure": all["image.ensure"],
  "bundle.ensure": all["bundle.ensure"],
  reserve: all.reserve,
  secrets: all.secrets,
  "running.announce": all["running.announce"],
  start: all.start,
  wait: all.wait,
  remove: all.remove,
  "running.withdraw": all["running.withdraw"],
};
