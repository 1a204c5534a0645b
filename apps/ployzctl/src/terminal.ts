import type { Readable, Writable } from "node:stream";
import type { TerminalSize } from "@ployz/primitives/client";
import { thisOperator } from "./operator.ts";

/** A stream for text. */
export interface Writer {
  readonly tty: boolean;
  readonly columns: number;
  write(text: string): void;
}

/** The environment of one run. Tests pass their own. */
export interface Terminal {
  readonly out: Writer;
  readonly err: Writer;
  readonly stdin: Readable;
  readonly stdinTty: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly root: boolean;
  readonly platform: NodeJS.Platform;
  /** The person, as `name@machine`, for the operation log. */
  readonly by: string;
  /** Calls `listener` at each Ctrl-C instead of ending the program, until the returned function is called. */
  onInterrupt(listener: () => void): () => void;
  /** The same for another signal. */
  onSignal(name: NodeJS.Signals, listener: () => void): () => void;
  /** For the bytes of another program. */
  readonly raw: { readonly stdout: Writable; readonly stderr: Writable };
  /** Stdin and its screen, where stdin is a terminal. */
  readonly keyboard: Keyboard | undefined;
  /** Ends the program at once. */
  exit(code: number): void;
}

export interface Keyboard {
  size(): TerminalSize;
  /** Whether keys arrive as they are typed, Ctrl-C included, and without echo. */
  setRaw(on: boolean): Promise<void>;
  onResize(listener: () => void): () => void;
}

export function processTerminal(): Terminal {
  const { env, platform, stdout, stderr } = process;
  // A closed pipe (`ployzctl ps | head -1`) is not an error.
  for (const stream of [stdout, stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
  }
  return {
    out: writer(stdout),
    err: writer(stderr),
    get stdin() {
      return process.stdin; // opened when it is read: an open terminal keeps the program running
    },
    get stdinTty() {
      return process.stdin.isTTY === true;
    },
    env,
    cwd: process.cwd(),
    root: process.getuid?.() === 0,
    platform,
    get by() {
      return thisOperator(env);
    },
    onInterrupt: (listener) => onSignal("SIGINT", listener),
    onSignal,
    raw: { stdout, stderr },
    get keyboard() {
      const { stdin } = process;
      return stdin.isTTY
        ? {
            // A terminal without a screen has the size 0.
            size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
            async setRaw(on: boolean) {
              stdin.setRawMode(on); // keeps translating line feeds of the output
              if (!on) return;
              const { run } = await import("@ployz/exec"); // large, and no other command's start needs it
              await run("stty", [platform === "linux" ? "-F" : "-f", "/dev/tty", "-opost"]);
            },
            onResize: (listener: () => void) => onSignal("SIGWINCH", listener),
          }
        : undefined;
    },
    exit: (code) => process.exit(code),
  };
}

function onSignal(name: NodeJS.Signals, listener: () => void): () => void {
  process.on(name, listener);
  return () => {
    process.off(name, listener);
  };
}

function writer(stream: NodeJS.WriteStream): Writer {
  return {
    tty: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80;
    },
    write: (text) => {
      stream.write(text);
    },
  };
}
