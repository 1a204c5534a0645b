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
import { attach } from "./exec.ts";

const ALONE = ["detach", "keep", "no-record"] as const;
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
  const [stdin, tty] = [input.flag("stdin"), input.flag("tty")];
  const interactive = stdin || tty;
  if (interactive && argv.length === 0)
    throw usage("COMMAND is missing", `ployzctl run -it ${namespace}/${service} --with-volumes-of … -- sh`);
  if (input.flag("rm") && !interactive) throw usage("--rm goes with -i or -t here", "ployzctl run --help");
  const asked = {
    primitive: "volume-run",
    input: {
      ...{ namespace, service, volumesOf: of.name },
      ...(argv.length > 0 && { argv }),
      ...(input.flag("stop") && { stop: true }),
      ...(interactive && { interactive }),
      ...(limit !== undefined && { limitMs: await needDuration("--limit", limit) }),
    },
  } as const;
  if (interactive && context.globals.json && !input.flag("preview"))
    throw usage("--json does not go with the output of a program");
  if (input.flag("preview") || context.globals.json) return change(context, asked, input.flag("preview"));
  const session = interactive ? sessionOf(context, { namespace, argv, stdin, tty }) : undefined;
  const output = session ?? outputOf(context, namespace);
  const body = { ...asked, mode: "apply", by: context.terminal.by } as const;
  const client = await context.client();
  const { outcome } = await follow(context, (signal) =>
    output.during(client.stream("POST /v1/operations", { body, signal })),
  );
  if (outcome.kind !== "operation") return outcome;
  await output.end();
  const { state, error, owed, warnings } = outcome;
  const code = error?.code === "job_failed" ? Number(error.details?.exitCode) : undefined;
  session?.failed();
  if (state !== "done" && (code === undefined || state !== "failed" || owed.length > 0)) return outcome;
  for (const text of warnings) context.progress.note(`warning: ${text}`);
  if (input.flag("stop")) context.progress.note(`${namespace}/${of.name} runs again`);
  return { kind: "exec", exitCode: session?.exitCode() ?? code ?? 0 };
}

/** The program in the instance that waits for it, on this terminal. Events of the operation wait meanwhile, and are shown afterwards. */
function sessionOf(
  context: Context,
  asked: {
    readonly namespace: string;
    readonly argv: readonly string[];
    readonly stdin: boolean;
    readonly tty: boolean;
  },
) {
  const { terminal, progress } = context;
  const keyboard = asked.tty ? terminal.keyboard : undefined;
  if (asked.tty && keyboard === undefined) progress.note("stdin is not a terminal: running without one");
  let [operation, code]: [string, number | undefined] = ["", undefined];
  let failure: unknown;

  async function attached({ service, machine, instance }: RunSummary): Promise<number> {
    const client = await context.client();
    const stream = await client.open(
      {
        ...{ kind: "exec", namespace: asked.namespace, service, argv: asked.argv, by: terminal.by },
        once: { machine, id: instance },
        ...(keyboard !== undefined && { terminal: keyboard.size() }),
        ...(keyboard !== undefined && terminal.env.TERM !== undefined && { term: terminal.env.TERM }),
      },
      context.signal,
    );
    progress.note(`running ${instance} on ${machine}`);
    return attach(context, stream, { keyboard, stdin: asked.stdin });
  }
  return {
    async *during(events: AsyncIterable<OperationEvent>): AsyncGenerator<OperationEvent> {
      let run: RunSummary | undefined;
      for await (const event of events) {
        if (event.type === "accepted") operation = event.operation;
        if (event.type === "plan") run = event.plan.summary as unknown as RunSummary;
        yield event;
        const begun = event.type === "step" && event.state === "done" && event.step.startsWith("start ");
        if (!begun || run === undefined || code !== undefined || failure !== undefined) continue;
        try {
          code = await attached(run);
        } catch (error) {
          failure = error;
          // Its instance ends by itself, within a minute; this is sooner.
          const client = await context.client();
          await client
            .request("POST /v1/operations/:id/abort", { params: { id: operation } })
            .catch(() => {});
        }
      }
    },
    end: async () => {},
    /** @throws what ended the session before its program did. */
    failed(): void {
      if (failure !== undefined) throw failure;
    },
    exitCode: () => code,
  };
}

/** Of the plan. */
interface RunSummary {
  readonly service: string;
  readonly machine: string;
  readonly instance: string;
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
