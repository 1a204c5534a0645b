import type { PrimitiveInputs } from "@ployz/primitives/client";
import type { Command, Input } from "../../command.ts";
import { usage } from "../../errors.ts";
import { CHANGE, PREVIEW } from "../../flags.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";

export const labelCommand: Command = {
  path: ["machine", "label"],
  summary: "Set labels, region and zone of a machine, for placement",
  prints: CHANGE,
  details: [
    "Services name labels in `constraints.labels`, and spread over zones with `spread`. Instances that run stay where they are until their next change.",
  ],
  args: [
    { name: "machine", summary: "Name of the machine", required: true, source: "machine" },
    { name: "label", summary: "KEY=VALUE", many: true },
  ],
  options: {
    rm: { type: "list", value: "KEY", summary: "Remove this label; once for each" },
    region: { type: "text", value: "R", summary: "Its region" },
    az: { type: "text", value: "Z", summary: "Its zone" },
    ...PREVIEW,
  },
  examples: ["ployzctl machine label m2 disk=ssd rack=a1", "ployzctl machine label m2 --rm rack --az eu-1b"],
  run: async (context, input) =>
    change(context, { primitive: "machine-label", input: await inputOf(input) }, input.flag("preview")),
};

async function inputOf(input: Input): Promise<PrimitiveInputs["machine-label"]> {
  const machine = await needLabel("MACHINE", input.argument("machine"));
  const labels = input.arguments("label").map(pairOf);
  const [remove, region, az] = [input.list("rm"), input.text("region"), input.text("az")];
  if (labels.length === 0 && remove.length === 0 && region === undefined && az === undefined)
    throw usage("nothing to set", "name a label KEY=VALUE, --rm KEY, --region or --az");
  return {
    machine,
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
    ...(remove.length > 0 && { remove }),
    ...(region !== undefined && { region }),
    ...(az !== undefined && { az }),
  };
}

function pairOf(text: string, index: number, all: readonly string[]): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw usage(`LABEL: ${JSON.stringify(text.slice(0, 60))} is not KEY=VALUE`);
  const key = text.slice(0, at);
  if (all.findIndex((other) => other.startsWith(`${key}=`)) !== index)
    throw usage(`LABEL: ${key} is set twice`);
  return [key, text.slice(at + 1)];
}
