import { errorBody } from "@ployz/errors";
import type { RunStopped, StreamAsk } from "../../api.ts";
import type { Context, Input } from "../../command.ts";
import type { ExecDocument, RunStarted } from "../../documents.ts";
import { PloyzError } from "../../error-codes.ts";
import { usage } from "../../errors.ts";
import type { Outcome } from "../../operation/follow.ts";
import { needInNamespace } from "../../values.ts";
import { attach } from "./exec.ts";

/** Runs a program in a new instance of a service. Its exit code becomes this program's, unless it is left running. */
export async function runOnce(context: Context, input: Input): Promise<ExecDocument | RunStarted | Outcome> {
  const withVolumes = await import("./with-volumes.ts");
  if (input.text("with-volumes-of") !== undefined) return withVolumes.runWithVolumes(context, input);
  withVolumes.refuseFlagsOfVolumes(input);
  const { namespace, name: service } = await needInNamespace("SERVICE", input.argument("service"));
  const { terminal } = context;
  const argv = input.arguments("command");
  const [stdin, tty, detach] = [input.flag("stdin"), input.flag("tty"), input.flag("detach")];
  if (detach && (stdin || tty || input.flag("rm")))
    throw usage("--detach does not go with -i, -t and --rm", "ployzctl run --help");
  const keep = input.flag("keep");
  if (keep && input.flag("rm")) throw usage("--keep does not go with --rm", "ployzctl run --help");
  if ((stdin || tty) && argv.length === 0)
    throw usage("COMMAND is missing", `ployzctl run -it ${namespace}/${service} -- sh`);
  if (context.globals.json && !detach) throw usage("--json does not go with the output of a program");
  const keyboard = tty ? terminal.keyboard : undefined;
  if (tty && keyboard === undefined) context.progress.note("stdin is not a terminal: running without one");
  const ask: StreamAsk = {
    ...{ kind: "run", namespace, service, by: terminal.by },
    ...(argv.length > 0 && { argv }),
    ...((stdin || tty) && { interactive: true }),
    ...(keyboard !== undefined && { terminal: keyboard.size() }),
    ...(keyboard !== undefined && terminal.env.TERM !== undefined && { term: terminal.env.TERM }),
    ...(detach && { detach: true }),
    ...(input.flag("rm") && { rm: true }),
    ...(keep && { keep }),
    ...(input.flag("no-record") && { private: true }),
  };
  const stream = await (await context.client()).open(ask, context.signal);
  const { instance, machine } = stream.opened;
  if (!detach) context.progress.note(`running ${instance} on ${machine}`);
  const stays = !stdin && !tty && !input.flag("rm");
  const exitCode = await attach(context, stream, { keyboard, stdin }).catch((error: unknown) => {
    const lost = ["stream_lost", "machine_unreachable"].includes(errorBody(error).code);
    throw stays && lost ? detached(instance, machine) : error;
  });
  if (keep && !detach) context.progress.note(`kept ${instance}; to remove it: ployzctl run stop ${instance}`);
  return detach
    ? { kind: "run-started", instance, machine, ...(keep && { keep: true as const }) }
    : { kind: "exec", exitCode };
}

const detached = (instance: string, machine: string) =>
  new PloyzError({
    code: "stream_lost",
    message: `lost the connection to ${instance} on ${machine}; it is still running`,
    hint: `ployzctl run ls; to stop it: ployzctl run stop ${instance}`,
  });

export async function stop(context: Context, input: Input): Promise<RunStopped> {
  const id = input.argument("id") ?? "";
  if (!/^[a-z0-9.-]{1,200}$/.test(id))
    throw usage(`ID: ${JSON.stringify(id.slice(0, 60))} is not a run's`, "ployzctl run ls");
  return (await context.client()).request("POST /v1/runs/:id/stop", {
    params: { id },
    signal: context.signal,
    idleMs: 120_000,
  });
}
