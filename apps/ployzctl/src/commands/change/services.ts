import type { Context, Input } from "../../command.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import type { Outcome } from "../../operation/follow.ts";
import { needInNamespace } from "../../values.ts";

/** `restart`, `stop` or `start`. */
export async function onServices(
  context: Context,
  input: Input,
  primitive: "restart" | "stop" | "start",
): Promise<Outcome> {
  const found = await Promise.all(input.arguments("services").map((one) => needInNamespace("SERVICES", one)));
  const namespace = found[0]?.namespace ?? "";
  if (found.some((one) => one.namespace !== namespace))
    throw usage("all services must be of one namespace", "run the command once for each namespace");
  const services = [...new Set(found.map(({ name }) => name))];
  return change(context, { primitive, input: { namespace, services } }, input.flag("preview"));
}

/** `canary finish` or `canary undo`. */
export async function onCanaries(
  context: Context,
  input: Input,
  primitive: "canary-finish" | "canary-undo",
): Promise<Outcome> {
  const { namespace, services } = await targetOf(input);
  return change(context, { primitive, input: { namespace, ...services } }, input.flag("preview"));
}

export async function maintenance(context: Context, input: Input): Promise<Outcome> {
  const on = input.argument("state") === "on";
  const { namespace, services } = await targetOf(input);
  return change(
    context,
    { primitive: "maintenance", input: { namespace, ...services, on } },
    input.flag("preview"),
  );
}

/** NAMESPACE or NAMESPACE/SERVICE. */
async function targetOf(input: Input): Promise<{
  readonly namespace: string;
  readonly services: { readonly services?: readonly string[] };
}> {
  const target = input.argument("target") ?? "";
  if (!target.includes("/")) return { namespace: await needLabel("TARGET", target), services: {} };
  const { namespace, name } = await needInNamespace("TARGET", target);
  return { namespace, services: { services: [name] } };
}

export async function scale(context: Context, input: Input): Promise<Outcome> {
  const replicas: Record<string, number> = {};
  let namespace: string | undefined;
  for (const text of input.arguments("counts")) {
    const [, left = "", count = ""] = /^(.*)=([1-9]\d{0,2}|1000)$/s.exec(text) ?? [];
    if (count === "")
      throw usage(
        `COUNTS: ${JSON.stringify(text.slice(0, 60))} is not SERVICE=N, with N from 1 to 1000`,
        "for example prod/web=5; to run none of it: ployzctl stop",
      );
    if (namespace === undefined && !left.includes("/"))
      throw usage(
        `COUNTS: ${JSON.stringify(text.slice(0, 60))} names no namespace`,
        "for example prod/web=5",
      );
    // The namespace of the first holds for those without one.
    const one = await needInNamespace("COUNTS", left.includes("/") ? left : `${namespace}/${left}`);
    namespace ??= one.namespace;
    if (one.namespace !== namespace) throw usage("all services must be of one namespace");
    if (Object.hasOwn(replicas, one.name)) throw usage(`COUNTS: ${one.name} is given twice`);
    replicas[one.name] = Number(count);
  }
  return change(
    context,
    { primitive: "scale", input: { namespace: namespace ?? "", replicas } },
    input.flag("preview"),
  );
}
