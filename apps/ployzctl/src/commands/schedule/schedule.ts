import { CLUSTER_SCHEDULES } from "@ployz/primitives/client";
import type { Asked, ScheduleDocument, ScheduleRow } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { change, changeAfterAsking } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { given } from "../../values.ts";
import { keepOf } from "../backup/keep.ts";

/** What the cluster can run by itself. */
export const RUNS = ["store-backup", "image-prune", "volume-prune"] as const;

/** A schedule of a volume has the volume's name and its own: `prod/pgdata.snapshots`. */
async function needSchedule(
  text: string | undefined,
): Promise<{ readonly namespace: string; readonly name: string }> {
  const parts = (text ?? "").split("/");
  // Without a namespace: of the cluster.
  const [namespace = "", name = "", ...more] = parts.length === 1 ? [CLUSTER_SCHEDULES, ...parts] : parts;
  if (more.length > 0 || !/^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?$/.test(name))
    throw usage(
      `SCHEDULE: ${JSON.stringify((text ?? "").slice(0, 60))} is not NAMESPACE/SCHEDULE, nor a schedule of the cluster`,
      "list them: ployzctl schedule ls",
    );
  if (namespace === CLUSTER_SCHEDULES) return { namespace, name: await needLabel("SCHEDULE", name) };
  return { namespace: await needLabel("NAMESPACE", namespace), name };
}

export async function show(context: Context, input: Input): Promise<ScheduleDocument> {
  return { kind: "schedule", ...(await find(context, input)) };
}

async function find(context: Context, input: Input): Promise<ScheduleRow> {
  const { namespace, name } = await needSchedule(input.argument("schedule"));
  const { schedules } = await (await context.client()).request("GET /v1/schedules", {
    query: { namespace },
    signal: context.signal,
  });
  const found = schedules.find((row) => row.name === name);
  if (found !== undefined) return found;
  const known = schedules.map((row) => row.name);
  throw new PloyzError({
    code: "no_such_schedule",
    message: `${namespace === CLUSTER_SCHEDULES ? "the cluster" : namespace} has no schedule ${name}`,
    hint: known.length > 0 ? `it has ${known.join(", ")}` : "list them: ployzctl schedule ls",
  });
}

export async function run(context: Context, input: Input): Promise<Outcome> {
  const { primitive, input: asked } = await find(context, input);
  return change(context, { primitive, input: asked } as Asked, input.flag("preview"));
}

export async function setPaused(context: Context, input: Input, paused: boolean): Promise<ScheduleDocument> {
  const { namespace: ns, name } = await needSchedule(input.argument("schedule"));
  return (await context.client()).request("POST /v1/schedules/:ns/:name", {
    params: { ns, name },
    body: { paused, by: context.terminal.by },
    signal: context.signal,
  });
}

export async function add(context: Context, input: Input): Promise<Outcome> {
  const runs = RUNS.find((one) => one === input.text("run"));
  if (runs === undefined) throw usage(`--run: must be one of ${RUNS.join(", ")}`);
  if (input.text("cron") === undefined && input.text("every") === undefined)
    throw usage("--cron FIELDS or --every DURATION is missing", "for example --every 6h");
  const keep = keepOf(input);
  const repository = input.text("repository");
  const asked = {
    ...{ name: await needLabel("NAME", input.argument("name")), runs },
    ...given(
      "repository",
      repository === undefined ? undefined : await needLabel("--repository", repository),
    ),
    ...given("keep", Object.keys(keep).length === 0 ? undefined : keep),
    schedule: {
      ...given("cron", input.text("cron")),
      ...given("every", input.text("every")),
      ...given("timezone", input.text("timezone")),
      ...given("jitter", input.text("jitter")),
      ...given("deadline", input.text("deadline")),
      missed: input.flag("report-missed") ? ("report" as const) : ("run-once" as const),
    },
  };
  return change(context, { primitive: "schedule-add", input: asked }, input.flag("preview"));
}

export async function remove(context: Context, input: Input): Promise<Outcome> {
  const name = await needLabel("NAME", input.argument("name"));
  return changeAfterAsking(
    context,
    { primitive: "schedule-rm", input: { name } },
    { input, question: `Remove the schedule ${name}?` },
  );
}
