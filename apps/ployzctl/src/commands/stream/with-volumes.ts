import type { Writable } from "node:stream";
import { errorBody } from "@ployz/errors";
import { drained } from "@ployz/exec";
import type { LogEvent, OperationEvent } from "@ployz/primitives/client";
import type { Context, Input } from "../../command.ts";
import type { ExecDocument } from "../../documents.ts";
import { usage } from "../../errors.ts";
import { change } from "../../operation/change.ts";
import { follow, type Outcome } from "../../operation/follow.ts";
import { needDuration, needInNamespace } from "../../values.ts";

const ALONE = ["stdin", "tty", "detach", "rm", "keep", "no-record"] as const;
const ONLY_WITH = ["stop", "preview"] as const;

/** @throws PloyzError `usage` for flags of `--with-volumes-of` where it is missing. */
export function refuseFlagsOfVolumes(input: Input): void {
  const given = ONLY_WITH.find((name) => input.flag(name)) ?? (input.text("limit") !== undefined && "limit");
  if (given) throw usage(`--${given} goes with --with-volumes-of`, "ployzctl run --help");
}

/** Runs a program with the volumes of a service, as an operation, and shows its output. Its exit code becomes this program's. */
export async function runWithVolumes(context: Context, input: Input): Promise<ExecDocument | Outcome> {
  const { namespace, name: service } = await needInNamespace("SERVICE", input.argument("service"));
  const of = await needInNamespace("--with-volumes-of", input.text("with-volumes-of"));
  if (of.namespace !== namespace)
    throw usage(
      "--with-volumes-of: the service must be of the same namespace",
      `for example ${namespace}/db`,
    );
  const other = ALONE.find((name) => input.flag(name));
  if (other !== undefined)
    throw usage(`--${other} does not go with --with-volumes-of`, "ployzctl run --help");
  const [argv, limit] = [input.arguments("command"), input.text("limit")];
  const asked = {
    primitive: "volume-run",
    input: {
      ...{ namespace, service, volumesOf: of.name },
      ...(argv.length > 0 && { argv }),
      ...(input.flag("stop") && { stop: true }),
      ...(limit !== undefined && { limitMs: await needDuration("--limit", limit) }),
    },
  } as const;
  if (input.flag("preview") || context.globals.json) return change(context, asked, input.flag("preview"));
  const output = outputOf(context, namespace);
  const body = { ...asked, mode: "apply", by: context.terminal.by } as const;
  const client = await context.client();
  const { outcome } = await follow(context, (signal) =>
    output.during(client.stream("POST /v1/operations", { body, signal })),
  );
  if (outcome.kind !== "operation") return outcome;
  await output.end();
  const { state, error, owed, warnings } = outcome;
  const code = error?.code === "job_failed" ? Number(error.details?.exitCode) : undefined;
  if (state !== "done" && (code === undefined || state !== "failed" || owed.length > 0)) return outcome;
  for (const text of warnings) context.progress.note(`warning: ${text}`);
  if (input.flag("stop")) context.progress.note(`${namespace}/${of.name} runs again`);
  return { kind: "exec", exitCode: code ?? 0 };
}

/** The lines of a run: live as far as they come, and the rest when it has ended. */
function outputOf(context: Context, namespace: string) {
  const { stdout, stderr } = context.terminal.raw;
  const stop = new AbortController();
  let [last, live]: [string, Promise<void>] = ["", Promise.resolve()];
  let run: { readonly service: string; readonly id: string } | undefined;

  async function show(event: LogEvent): Promise<void> {
    if (event.type !== "line" || event.time <= last) return;
    last = event.time;
    const to: Writable = event.stream === "stderr" ? stderr : stdout;
    if (!to.write(`${event.line}\n`)) await drained(to);
  }
  async function read(following: boolean, signal: AbortSignal): Promise<void> {
    if (run === undefined) return;
    const query = { target: `${namespace}/${run.service}`, instance: run.id };
    const client = await context.client();
    const lines = client.stream("GET /v1/logs", {
      query: { ...query, ...(following && { follow: "true" as const }) },
      signal,
    });
    for await (const event of lines) await show(event);
  }
  return {
    async *during(events: AsyncIterable<OperationEvent>): AsyncGenerator<OperationEvent> {
      for await (const event of events) {
        if (event.type === "plan") {
          const { service, instance } = event.plan.summary as { service: string; instance: string };
          run = { service, id: instance };
        }
        if (event.type === "step" && event.state === "done" && event.step.startsWith("start "))
          live = read(true, AbortSignal.any([stop.signal, context.signal])).catch(() => {}); // the rest is read at the end
        yield event;
      }
    },
    async end(): Promise<void> {
      stop.abort();
      await live;
      await read(false, context.signal).catch((error: unknown) =>
        context.progress.note(`its last lines could not be read: ${errorBody(error).message}`),
      );
    },
  };
}
