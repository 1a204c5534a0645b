import Type from "typebox";
import { inputParser } from "../change/input.ts";
import { invalid } from "../model/field.ts";
import { byName, label } from "../model/fields.ts";
import * as patterns from "../model/patterns.ts";
import type { Shape } from "../model/shape.ts";

const ServiceMode = Type.Enum(["branch", "skip"]);
const VolumeMode = Type.Enum(["branch", "fresh"]);

export const Input = Type.Object({
  source: label("The namespace that is branched."),
  target: label("The new namespace."),
  serviceMode: Type.Optional(ServiceMode),
  volumeMode: Type.Optional(VolumeMode),
  services: Type.Optional(byName(ServiceMode, "By service, instead of `serviceMode`.")),
  volumes: Type.Optional(byName(VolumeMode, "By volume, instead of `volumeMode`.")),
  routes: Type.Optional(
    Type.Record(Type.String(), Type.String({ maxLength: 253 }), {
      maxProperties: 1000,
      description: "Old host or port (TCP, UDP) to new.",
    }),
  ),
  users: Type.Optional(label("A secret with users: `basic_auth` of all routes.")),
  machine: Type.Optional(label("The machine that everything of the branch is on.")),
});
/** Input of the primitive `branch`; the schema above describes each field. */
export type BranchInput = Shape<typeof Input>;

const shape = inputParser(Input);

/** Checks an untyped input of `branch`: shape, hosts and ports. Refusals name the field. */
export const parseBranch: typeof shape = (raw) => {
  const parsed = shape(raw);
  if (!parsed.ok) return parsed;
  const { source, target, routes = {} } = parsed.input;
  const refusals = Object.entries(routes).flatMap(([old, next]) => {
    const tcp = /^[0-9]+$/.test(old);
    const fits = tcp
      ? /^[1-9][0-9]{0,4}$/.test(next) && Number(next) <= 65_535
      : new RegExp(patterns.HOST).test(next);
    return fits
      ? []
      : [
          invalid(
            ["routes", old],
            `cannot become ${JSON.stringify(next.slice(0, 60))}`,
            tcp ? "give a port" : "give a host name",
          ),
        ];
  });
  if (source === target)
    refusals.push(invalid(["target"], "is the source", "name the branch after its purpose, such as pr-42"));
  return refusals.length > 0 ? { ok: false, refusals } : parsed;
};
