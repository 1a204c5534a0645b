import { pipeline } from "node:stream/promises";
import type { OpenStream, StreamAsk } from "@ployz/primitives/client";
import type { Context, Input } from "../../command.ts";
import type { ExecDocument } from "../../documents.ts";
import { usage } from "../../errors.ts";
import type { Keyboard } from "../../terminal.ts";
import { type InstanceTarget, needInstance } from "./target.ts";

/** Runs a program in an instance, with this terminal's streams. Its exit code becomes this program's. */
export async function exec(context: Context, input: Input): Promise<ExecDocument> {
  if (context.globals.json) throw usage("--json does not go with the output of a program");
  const target = await needInstance("INSTANCE", input.argument("instance"));
  const { terminal } = context;
  const keyboard = input.flag("tty") ? terminal.keyboard : undefined;
  if (input.flag("tty") && keyboard === undefined)
    context.progress.note("stdin is not a terminal: running without one");
  const ask: StreamAsk = {
    ...{ kind: "exec", ...target, argv: input.arguments("command"), by: terminal.by },
    ...(keyboard !== undefined && { terminal: keyboard.size() }),
    ...(keyboard !== undefined && terminal.env.TERM !== undefined && { term: terminal.env.TERM }),
    ...(input.flag("no-record") && { private: true }),
  };
  const stream = await (await context.client()).open(ask, context.signal);
  sayWhich(context, target, stream);
  return { kind: "exec", exitCode: await attach(context, stream, { keyboard, stdin: input.flag("stdin") }) };
}

/** Where any instance would do, says which one it was. */
export function sayWhich(context: Context, target: InstanceTarget, { opened }: OpenStream): void {
  if (target.slot === undefined && opened.of > 1)
    context.progress.note(`using ${target.namespace}/${target.service}.${opened.slot} on ${opened.machine}`);
}

const PASSED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

export async function attach(
  { terminal }: Context,
  stream: OpenStream,
  { keyboard, stdin }: { readonly keyboard: Keyboard | undefined; readonly stdin: boolean },
): Promise<number> {
  let interrupts = 0;
  const stop = PASSED.map((name) =>
    terminal.onSignal(name, () => {
      // A program that does not react to Ctrl-C is killed with the connection.
      if (name === "SIGINT" && ++interrupts > 2) stream.close();
      else stream.signal(name);
    }),
  );
  if (keyboard !== undefined) {
    stop.push(keyboard.onResize(() => stream.resize(keyboard.size())));
    if (stdin) {
      stop.push(() => void keyboard.setRaw(false));
      await keyboard.setRaw(true);
    }
  }
  stream.input.on("error", () => {}); // the end of the stream reports it
  if (stdin) void pipeline(terminal.stdin, stream.input).catch(() => {});
  else if (keyboard === undefined) stream.input.end();
  try {
    return await stream.pump({ output: terminal.raw.stdout, errors: terminal.raw.stderr });
  } finally {
    for (const undo of stop) undo();
    if (stdin) terminal.stdin.destroy(); // an open terminal or pipe keeps this program running
  }
}
