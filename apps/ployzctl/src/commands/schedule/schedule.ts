import type { Asked, ScheduleDocument, ScheduleRow } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";

/** A schedule of a volume has the volume's name and its own: `prod/pgdata.snapshots`. */
async function needSchedule(
  text: string | undefined,
): Promise<{ readonly namespace: string; readonly name: string }> {
  const [namespace = "", name = "", ...more] = (text ?? "").split("/");
  if (more.length > 0 || !/^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?$/.test(name))
    throw usage(
      `SCHEDULE: ${JSON.stringify((text ?? "").slice(0, 60))} is not NAMESPACE/SCHEDULE`,
      "list them: ployzctl schedule ls",
    );
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
    message: `${namespace} has no schedule ${name}`,
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
