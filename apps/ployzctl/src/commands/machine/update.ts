import type { Context, Input } from "../../command.ts";
import type { MachinesUpdated, UpdateOutcome } from "../../documents.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { runOperation } from "../../operation/follow.ts";
import { endOf, endOfThrown } from "../../operation/outcome.ts";

/** Previews all machines, then runs one operation after the other for those that differ, up to the first failure. */
export async function update(context: Context, input: Input): Promise<MachinesUpdated> {
  const client = await context.client();
  const { signal } = context;
  const { version, build } = await client.request("GET /v1/version", { signal });
  const named = await Promise.all(input.arguments("machine").map((name) => needLabel("MACHINE", name)));
  if (new Set(named).size < named.length) throw usage("a machine is named twice", "name each machine once");
  const everybody = async () =>
    (await client.request("GET /v1/machines", { signal })).machines
      .filter(({ record }) => record.state === "active")
      .map(({ record }) => record.id);
  const asked = named.length > 0 ? named : await everybody();

  const looked = await Promise.all(asked.map((machine) => look(context, machine)));
  const ready = looked.every(({ state }) => state === "planned" || state === "done");
  if (input.flag("preview") || !ready) {
    const machines = looked.map((one) =>
      ready || one.state !== "planned" ? one : { ...one, state: "not-tried" as const },
    );
    return { kind: "machine-update", version, build, machines };
  }

  const machines: UpdateOutcome[] = [];
  let going = true;
  for (const one of looked) {
    if (one.state !== "planned") machines.push(one);
    else if (!going) machines.push({ ...one, state: "not-tried" });
    else {
      const outcome = await updateOne(context, one);
      machines.push(outcome);
      going = outcome.state === "done";
    }
  }
  return { kind: "machine-update", version, build, machines };
}

const request = (machine: string, mode: "preview" | "apply") =>
  ({ primitive: "machine-update", input: { machine }, mode }) as const;

async function look(context: Context, machine: string): Promise<UpdateOutcome> {
  try {
    const { outcome } = await runOperation(context, request(machine, "preview"), machine);
    if (outcome.kind !== "plan") return { machine, ...endOf(outcome) };
    const { changes, summary, warnings } = outcome;
    const { from } = summary as { readonly from: NonNullable<UpdateOutcome["from"]> };
    return changes
      ? { machine, state: "planned", from, errors: [], warnings }
      : { machine, state: "done", changed: false, errors: [], warnings };
  } catch (error) {
    return { machine, ...endOfThrown(error) };
  }
}

async function updateOne(context: Context, { machine, from }: UpdateOutcome): Promise<UpdateOutcome> {
  const known = { machine, ...(from !== undefined && { from }) };
  try {
    const { outcome } = await runOperation(context, request(machine, "apply"), machine);
    return { ...known, ...endOf(outcome) };
  } catch (error) {
    return { ...known, ...endOfThrown(error) };
  }
}
