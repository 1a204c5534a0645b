import { type ChangeSummary, checkManifest, type Manifest, parseManifest } from "@ployz/primitives";
import type { Json } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import { needLabel } from "../../names.ts";
import { type Outcome, refused } from "../../operation/follow.ts";
import { given, needPairs } from "../../values.ts";
import { deployManifest } from "./deploy.ts";

type Service = NonNullable<Manifest["services"]>[string];

/** Changes one service in the manifest of the last commit, and deploys it. */
export async function deployService(context: Context, input: Input): Promise<Outcome> {
  const name = await needLabel("SERVICE", input.argument("service"));
  const asked = input.text("namespace");
  if (asked === undefined) throw usage("--namespace NS is missing", "ployzctl namespace ls");
  const namespace = await needLabel("--namespace", asked);
  const changes = await changesOf(input);
  const present = await presentManifest(context, namespace);
  const before = Object.hasOwn(present.services ?? {}, name) ? present.services?.[name] : undefined;
  if (before === undefined && changes.image === undefined)
    throw new PloyzError({
      code: "no_such_service",
      message: `namespace ${namespace} has no service ${name}`,
      hint: `a new service needs --image; the present services are: ${Object.keys(present.services ?? {}).join(", ") || "none"}`,
    });
  const next = checkManifest({
    ...present,
    services: { ...present.services, [name]: changedService(before, changes) },
  });
  if (!next.ok) return refused(next.refusals);
  const options = {
    manifest: next.manifest,
    folder: context.terminal.cwd,
    yes: true, // it leaves nothing out
    // A change of something else must not bring a moved tag along.
    ...given("pull", pullOf(input.text("pull"), changes.image)),
  };
  const planned = await deployManifest(context, { ...options, preview: true });
  if (planned.kind !== "plan") return planned;
  leaveTheRest(planned.summary, name);
  return input.flag("preview") ? planned : deployManifest(context, { ...options, preview: false });
}

const pullOf = (asked: string | undefined, image: string | undefined) =>
  asked === "always" ? ("always" as const) : image === undefined ? ("committed" as const) : undefined;

async function changesOf(input: Input) {
  const { isEnvName } = await import("@ployz/primitives/protocol");
  const left = async (variable: string) => {
    const good: boolean = isEnvName(variable);
    if (!good) throw usage(`--env: ${JSON.stringify(variable.slice(0, 60))} is not the name of a variable`);
  };
  const env = await needPairs<string>("--env", input.list("env"), { left, example: "PORT=8080" });
  const ports = await needPairs<string>("--port", input.list("port"), { example: "http=8080" });
  const command = input.arguments("command");
  return {
    ...given("image", input.text("image")),
    ...given("replicas", input.number("replicas")),
    ...given("command", command.length === 0 ? undefined : [...command]),
    env: env ?? {},
    ports: Object.fromEntries(Object.entries(ports ?? {}).map(([port, text]) => [port, portNumber(text)])),
  };
}

function portNumber(text: string): number {
  if (/^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw usage(`--port: ${JSON.stringify(text.slice(0, 60))} is not a port`, "for example --port http=8080");
}

function changedService(
  before: Service | undefined,
  { env, ports, ...changes }: Awaited<ReturnType<typeof changesOf>>,
): Service {
  const { bundle, ...rest } = before ?? {};
  const filled = <T>(key: string, table: Readonly<Record<string, T>>) =>
    Object.keys(table).length === 0 ? {} : { [key]: table };
  return {
    ...rest,
    // An image replaces a bundle.
    ...(bundle !== undefined && changes.image === undefined && { bundle }),
    ...changes,
    ...filled("env", { ...before?.env, ...env }),
    ...filled("ports", { ...before?.ports, ...ports }),
  };
}

async function presentManifest(context: Context, namespace: string): Promise<Manifest> {
  const { text } = await (await context.client()).request("GET /v1/namespaces/:ns/manifest", {
    params: { ns: namespace },
    signal: context.signal,
  });
  const parsed = parseManifest(text, "toml");
  if (parsed.ok) return parsed.manifest;
  // A namespace with volumes only is not a valid manifest until it has this service.
  const { parse } = await import("smol-toml");
  return parse(text) as unknown as Manifest; // the daemon checks it, with the service in it
}

/** @throws PloyzError when another service would change too. Replacing dead instances is not a change. */
function leaveTheRest(summary: Json, name: string): void {
  // The preview is one of `deploy`.
  const { services, jobs } = summary as unknown as Pick<ChangeSummary, "services" | "jobs">;
  const others = [
    ...services.filter((service) => service.name !== name && service.change === "change"),
    ...jobs.filter(({ why }) => why === "changed"),
  ].map((other) => other.name);
  if (others.length === 0) return;
  throw new PloyzError({
    code: "rest_would_change",
    message: `${others.join(", ")} would change too: since the last deploy a tag has moved or a secret was set`,
    hint: "deploy the whole manifest to change all, or name images by digest",
  });
}
