import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";

export async function distribute(context: Context, input: Input, pull: "never" | "always"): Promise<Outcome> {
  const machines = await targets(input);
  if (machines === undefined)
    throw usage("--to MACHINES or --all is missing", "ployzctl machine ls lists the machines");
  const ref = input.argument("ref") ?? "";
  return change(
    context,
    { primitive: "image-distribute", input: { ref, pull, ...(machines !== "all" && { machines }) } },
    input.flag("preview"),
  );
}

/** `undefined`: neither flag was given. */
export async function targets(input: Input): Promise<string[] | "all" | undefined> {
  const to = input.text("to");
  if (to !== undefined && input.flag("all")) throw usage("--to and --all exclude each other");
  if (input.flag("all")) return "all";
  if (to === undefined) return undefined;
  const names: string[] = [];
  for (const name of to.split(",")) names.push(await needLabel("--to", name.trim()));
  return names;
}

/** Before something long begins: the machines exist. @throws PloyzError `no_such_machine`. */
export async function needTargets(
  context: Context,
  wanted: readonly string[] | "all" | undefined,
): Promise<void> {
  if (wanted === undefined || wanted === "all") return;
  const { machines } = await (await context.client()).request("GET /v1/names", { signal: context.signal });
  const missing = wanted.find((name) => !machines.includes(name));
  if (missing === undefined) return;
  throw new PloyzError({
    code: "no_such_machine",
    message: `machine ${missing} does not exist`,
    hint: "ployzctl machine ls",
  });
}
