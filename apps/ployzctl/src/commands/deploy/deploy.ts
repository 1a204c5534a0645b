import type { Manifest } from "@ployz/primitives";
import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { loadManifest, type ManifestFiles } from "../../manifest/load.ts";
import { needLabel } from "../../names.ts";
import { change } from "../../operation/change.ts";
import { type Outcome, refused } from "../../operation/follow.ts";
import { given } from "../../values.ts";
import { openBundles } from "./ship.ts";

export const deploy = async (context: Context, input: Input): Promise<Outcome> => {
  const namespace = input.text("namespace");
  const canary = input.text("canary");
  return deployFile(context, {
    preview: input.flag("preview"),
    files: input.list("file"),
    settings: input.list("set"),
    envFiles: input.list("env-file"),
    yes: input.flag("yes"),
    build: !input.flag("no-build"),
    ...(namespace !== undefined && { namespace: await needLabel("--namespace", namespace) }),
    ...(input.text("pull") === "always" && { pull: "always" as const }),
    ...(canary !== undefined && { canary: shareOf(canary) }),
  });
};

/** `10%` or `10`. */
function shareOf(text: string): number {
  const [, share = ""] = /^([1-9]\d?)%?$/.exec(text) ?? [];
  if (share === "")
    throw usage(
      `--canary: ${JSON.stringify(text.slice(0, 60))} is not a share from 1% to 99%`,
      "for example --canary 10%",
    );
  return Number(share);
}

export async function deployFile(
  context: Context,
  options: ManifestFiles & {
    readonly preview: boolean;
    readonly yes: boolean;
    /** Default true. */
    readonly build?: boolean;
    readonly pull?: "always" | "committed";
    /** Percent. */
    readonly canary?: number;
  },
): Promise<Outcome> {
  const loaded = await loadManifest(context, options);
  if (!loaded.ok) return refused(loaded.refusals);
  const { manifest, folder, file, named, unread } = loaded;
  if (unread !== undefined)
    context.progress.note(`read ${file} alone; ${unread} is read where it is named: -f ${file} -f ${unread}`);
  else if (options.files.length > 1) context.progress.note(`read ${file}`);
  const other = `${file} names the namespace ${named}; it is deployed into ${manifest.namespace}`;
  if (named !== manifest.namespace) context.progress.note(`warning: ${other}`);
  return deployManifest(context, {
    ...{ ...options, manifest, folder },
    ...given("about", named === manifest.namespace ? undefined : other),
  });
}

export async function deployManifest(
  context: Context,
  options: {
    readonly manifest: Manifest;
    /** Bundle paths are relative to it. */
    readonly folder: string;
    readonly preview: boolean;
    /** Remove what the manifest leaves out. */
    readonly yes: boolean;
    /** False: take the last builds. */
    readonly build?: boolean;
    /** To be known before the answer. */
    readonly about?: string;
    readonly pull?: "always" | "committed";
    /** Percent. */
    readonly canary?: number;
  },
): Promise<Outcome> {
  const { folder, preview, pull, yes, about, canary, build = true } = options;
  const { withBuilds } = await import("./builds.ts");
  const manifest = await withBuilds(context, options.manifest, { folder, build });
  await using bundles = await openBundles(context, manifest, folder);
  const { digests } = bundles;
  const input = { manifest, bundles: digests, ...given("pull", pull), ...given("canary", canary) };
  if (bundles.isLarge) {
    const early = await change(
      context,
      { primitive: "deploy", input: { ...input, removals: "refuse" } },
      true,
    );
    const refusals = refusedWithout(early);
    if (refusals.length > 0) return refused(refusals);
  }
  await bundles.upload();
  if (preview || yes) return change(context, { primitive: "deploy", input }, preview);
  const outcome = await change(
    context,
    { primitive: "deploy", input: { ...input, removals: "refuse" } },
    false,
  );
  const removal = onlyRemoval(outcome);
  if (removal === undefined) return outcome;
  const answer = await context.confirm(
    [...(about === undefined ? [] : [about]), removal.message, "Remove them?"].join("\n"),
  );
  if (answer === undefined) return outcome;
  if (!answer) throw new PloyzError({ code: "aborted", message: "not confirmed: nothing was changed" });
  return change(context, { primitive: "deploy", input }, false);
}

/** The refusals that neither the upload nor the operator's answer lifts. */
const refusedWithout = (early: Outcome) =>
  early.kind !== "error"
    ? []
    : (early.refusals ?? [early.error]).filter(
        ({ code }) => code !== "bundle_missing" && code !== "would_remove",
      );

/** The refusal that an operator can lift, where there is no other. */
function onlyRemoval(outcome: Outcome) {
  const refusals = outcome.kind === "error" ? (outcome.refusals ?? []) : [];
  return refusals.length === 1 ? refusals.find(({ code }) => code === "would_remove") : undefined;
}
