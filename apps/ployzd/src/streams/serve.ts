import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { errorBody } from "@ployz/errors";
import { shaped } from "@ployz/primitives/host";
import { type Channel, FRAME, TerminalSize } from "@ployz/primitives/protocol";
import type { Attached } from "@ployz/runtime";

/** After the program's end, its output is over when nothing has come for this long: what it left running may keep it open. */
const QUIET_MS = 250;
const SIGNALS: ReadonlySet<string> = new Set([
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGUSR1",
  "SIGUSR2",
  "SIGKILL",
]);
const sizeOf = shaped(TerminalSize);

/** The callee's end: gives the program what arrives, and sends what it writes. Kills it when the connection ends before it does. */
export async function serveProgram(channel: Channel, program: Attached): Promise<void> {
  let over = false;
  const { stdin } = program;
  stdin.on("error", () => {}); // it may end without reading its input

  async function receive(): Promise<void> {
    for await (const { kind, payload } of channel.frames) {
      if (kind === FRAME.input)
        stdin.write(payload, () => void channel.send(FRAME.credit, String(payload.length)));
      else if (kind === FRAME.inputEnd) stdin.end();
      else if (kind === FRAME.resize)
        await program.resize(sizeOf(JSON.parse(payload.toString("utf8")))).catch(() => {}); // it runs on
      else if (kind === FRAME.signal && SIGNALS.has(payload.toString("utf8")))
        await program.signal(payload.toString("utf8") as NodeJS.Signals).catch(() => {}); // it may have ended
    }
  }

  let moved = 0;
  let sending = 0;
  async function pump(stream: Readable | undefined, kind: typeof FRAME.output | typeof FRAME.errors) {
    if (stream === undefined) return;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      moved += chunk.length;
      sending++;
      await channel.send(kind, chunk);
      sending--;
    }
  }
  async function quiet(): Promise<void> {
    for (let before = -1; sending > 0 || moved !== before; ) {
      before = moved;
      await delay(QUIET_MS);
    }
  }

  const received = receive()
    .catch(() => {}) // the connection broke, or another program speaks there
    .then(() => (over ? undefined : program.kill()));
  const output = pump(program.stdout, FRAME.output)
    .catch(() => {})
    .then(() => channel.send(FRAME.outputEnd));
  const errors = pump(program.stderr, FRAME.errors).catch(() => {});
  try {
    const { exitCode } = await program.done;
    await Promise.race([Promise.all([output, errors]), quiet()]);
    over = true;
    await channel.send(FRAME.exit, String(exitCode));
  } catch (error) {
    over = true;
    await channel.send(FRAME.error, JSON.stringify(errorBody(error)));
  } finally {
    for (const stream of [program.stdout, program.stderr]) stream?.destroy();
    channel.end();
    await received;
    channel.destroy();
  }
}
