import type { BranchInput } from "@ployz/primitives";
import type { ManifestDocument } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { usage } from "../../errors.ts";
import { needLabel, needOperation } from "../../names.ts";
import { change } from "../../operation/change.ts";
import { type Outcome, runOperation } from "../../operation/follow.ts";
import { given, needPairs } from "../../values.ts";
import { withUsers } from "./private.ts";

export async function branch(context: Context, input: Input): Promise<Outcome> {
  const body = await branchInput(input);
  const preview = input.flag("preview");
  const run = (more: Pick<BranchInput, "users"> = {}) =>
    change(context, { primitive: "branch", input: { ...body, ...more } }, preview);
  return input.flag("private") && body.users === undefined
    ? withUsers(context, { namespace: body.target, preview }, run)
    : run();
}

/** Stores the plan, to be applied unchanged later. */
export async function prepare(context: Context, input: Input): Promise<Outcome> {
  const body = await branchInput(input);
  if (input.flag("private") && body.users === undefined)
    throw usage(
      "a prepared branch needs --users with --private",
      "set the secret first: ployzctl secret set",
    );
  const wanted = { primitive: "branch", input: body, mode: "prepare" } as const;
  return (await runOperation(context, wanted)).outcome;
}

export async function applyPrepared(context: Context, input: Input): Promise<Outcome> {
  const prepared = await needOperation("PLAN", input.argument("plan"));
  const wanted = { primitive: "branch", input: null, mode: "apply", prepared } as const;
  return (await runOperation(context, wanted)).outcome;
}

export const renderManifest = async (context: Context, input: Input): Promise<ManifestDocument> => {
  const body = await branchInput(input);
  return (await context.client()).request("POST /v1/branch/manifest", { body, signal: context.signal });
};

async function branchInput(input: Input): Promise<BranchInput> {
  const to = input.text("to");
  const users = input.text("users");
  if (users !== undefined && !input.flag("private"))
    throw usage("--users is for --private only", "add --private");
  return {
    source: await needLabel("SOURCE", input.argument("source")),
    target: await needLabel("TARGET", input.argument("target")),
    ...given("serviceMode", input.text("service-mode") as BranchInput["serviceMode"]),
    ...given("volumeMode", input.text("volume-mode") as BranchInput["volumeMode"]),
    ...given(
      "services",
      await needPairs("--service", input.list("service"), {
        right: ["branch", "skip"],
        example: "worker=skip",
      }),
    ),
    ...given(
      "volumes",
      await needPairs("--volume", input.list("volume"), {
        right: ["branch", "fresh"],
        example: "pgdata=branch",
      }),
    ),
    ...given(
      "routes",
      await needPairs("--route", input.list("route"), {
        left: async () => {}, // the planner knows the source's routes
        example: "www.example.com=pr-42.example.com",
      }),
    ),
    ...given("users", users === undefined ? undefined : await needLabel("--users", users)),
    ...given("machine", to === undefined ? undefined : await needLabel("--to", to)),
  };
}
