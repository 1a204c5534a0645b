import type { ErrorBody } from "@ployz/errors";
import type { PrimitiveInputs } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import type { AddOutcome, MachineAdded } from "../../documents.ts";
import { usage } from "../../errors.ts";
import { runOperation } from "../../operation/follow.ts";
import { endOf, endOfThrown } from "../../operation/outcome.ts";
import { given } from "../../values.ts";
import { findIdentity, type Identity } from "./identity.ts";

/** One operation for each target, in parallel; each with its own outcome. */
export async function add(context: Context, input: Input): Promise<MachineAdded> {
  const targets = input.arguments("target");
  const { parseTarget } = await import("@ployz/primitives/protocol");
  for (const target of targets) {
    if (parseTarget(target) === undefined)
      throw usage(
        `${JSON.stringify(target.slice(0, 80))} is not user@host or user@host:port`,
        "for example root@203.0.113.7",
      );
  }
  if (new Set(targets).size < targets.length) throw usage("a target is named twice", "name each target once");
  const name = input.text("name");
  if (name !== undefined && targets.length > 1)
    throw usage("--name takes one target, not several", "add the machines one by one");
  const identity = await findIdentity(input.text("identity"), context);
  const runtime = input.text("runtime");
  const wanted = {
    ...(name !== undefined && { name }),
    ...pick(input, "region"),
    ...pick(input, "az"),
    ...given("zfsRoot", input.text("zfs-root")),
    ...(runtime !== undefined && {
      runtime: runtime === "host" ? ("process" as const) : ("docker" as const),
    }),
  };
  const acceptHostKeys = input.flag("accept-new-host-key") ? ("new" as const) : undefined;
  const one = (target: string, accept: "new" | readonly string[] | undefined) =>
    addOne(
      context,
      target,
      { ...wanted, target },
      { ...identity, ...(accept !== undefined && { acceptHostKeys: accept }) },
    );

  const machines = await Promise.all(targets.map((target) => one(target, acceptHostKeys)));
  // Asked one after another, after the operations stopped writing to the terminal.
  for (const [index, outcome] of machines.entries()) {
    const fingerprint = unknownKey(outcome.errors);
    if (fingerprint === undefined) continue;
    const answer = await context.confirm(
      `${outcome.target} has the host key ${fingerprint}. Do you trust it?`,
    );
    if (answer === true) machines[index] = await one(outcome.target, [fingerprint]);
  }
  return { kind: "machine-add", machines };
}

const pick = (input: Input, name: "region" | "az") => {
  const value = input.text(name);
  return value === undefined ? {} : { [name]: value };
};

async function addOne(
  context: Context,
  target: string,
  input: PrimitiveInputs["machine-add"],
  credentials: Identity & { readonly acceptHostKeys?: "new" | readonly string[] },
): Promise<AddOutcome> {
  try {
    const { outcome } = await runOperation(
      context,
      { primitive: "machine-add", mode: "apply", input, credentials },
      target,
    );
    const machine = outcome.kind === "operation" ? machineOf(outcome.output) : undefined;
    return { target, ...(machine !== undefined && { machine }), ...endOf(outcome) };
  } catch (error) {
    return { target, ...endOfThrown(error) };
  }
}

/** The added machine's name, at any depth of the output. */
function machineOf(output: unknown): string | undefined {
  if (typeof output !== "object" || output === null) return undefined;
  const { machine, id } = output as { readonly machine?: unknown; readonly id?: unknown };
  if (typeof machine === "string") return machine;
  return typeof id === "string" ? id : machineOf(machine);
}

function unknownKey(errors: readonly ErrorBody[]): string | undefined {
  const { details } = errors.find(({ code }) => code === "ssh_host_key_unknown") ?? {};
  if (typeof details !== "object" || details === null || !("fingerprint" in details)) return undefined;
  return typeof details.fingerprint === "string" ? details.fingerprint : undefined;
}
