import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { ImagePushed } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import type { ErrorDocument } from "../../documents.ts";
import { usage } from "../../errors.ts";
import { whyUnreadable } from "../../files.ts";
import type { Outcome } from "../../operation/follow.ts";
import { given } from "../../values.ts";
import { needTargets, targets } from "../image/distribute.ts";
import { needImageName } from "../image/name.ts";
import { distributed, pushBuilt } from "../image/push.ts";
import type { Builder, BuildSpec } from "./argv.ts";
import { buildImage, findBuilder } from "./builder.ts";
import type { ImageBuilt } from "./document.ts";

/** Builds with the builder of this machine, then hands the image to the cluster if asked. */
export async function build(
  context: Context,
  input: Input,
): Promise<ImageBuilt | ImagePushed | Outcome | ErrorDocument> {
  const tag = input.text("tag");
  if (tag === undefined) throw usage("-t NAME is missing", "ployzctl build . -t web:v4");
  const name = needImageName("--tag", tag);
  const machines = await targets(input);
  const spec: BuildSpec = {
    context: resolve(context.terminal.cwd, input.argument("path") ?? "."),
    name,
    ...given("dockerfile", path(context, input.text("file"))),
    ...given("target", input.text("target")),
    ...given("platform", platform(input.text("platform"))),
    args: Object.fromEntries(input.list("build-arg").map(buildArg)),
  };
  await checkSpec(spec, "PATH");
  await needTargets(context, machines);
  const builder = await findBuilder(context.signal);
  await built(context, builder, spec);
  if (!input.flag("push") && machines === undefined) return { kind: "image-built", name, builder };
  const pushed = await pushBuilt(context, builder, name);
  return machines === undefined ? pushed : distributed(context, pushed, machines);
}

/** @throws PloyzError `usage` before anything is built */
export async function checkSpec({ context, dockerfile }: BuildSpec, field: string): Promise<void> {
  const folder = await stat(context).catch((error: NodeJS.ErrnoException) => {
    throw usage(`${field}: ${context}: ${whyUnreadable(error)}`, "name the folder to build");
  });
  if (!folder.isDirectory()) throw usage(`${field}: ${context} is not a folder`, "name the folder to build");
  const file = dockerfile ?? resolve(context, "Dockerfile");
  await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw usage(`${field}: ${file}: ${whyUnreadable(error)}`, "name the Dockerfile with --file");
  });
}

export async function built(context: Context, builder: Builder, spec: BuildSpec): Promise<void> {
  context.progress.note(`building ${spec.name} with ${builder}`);
  await buildImage(context, builder, spec);
}

const path = ({ terminal }: Context, file: string | undefined): string | undefined =>
  file === undefined ? undefined : resolve(terminal.cwd, file);

function platform(text: string | undefined): string | undefined {
  if (text === undefined || /^linux\/[a-z0-9]+(\/v[0-9]+)?$/.test(text)) return text;
  throw usage(`--platform: ${JSON.stringify(text.slice(0, 60))} is not one platform`, "such as linux/arm64");
}

function buildArg(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (!/^[A-Za-z_][A-Za-z0-9_]*=/.test(text))
    throw usage(`--build-arg: ${JSON.stringify(text.slice(0, 60))} is not NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}
