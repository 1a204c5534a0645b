import { hostname } from "node:os";
import type { Readable } from "node:stream";

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
  /** `user@machine`, for the operation log. */
  readonly by: string;
  /** Calls `listener` at each Ctrl-C instead of ending the program, until the returned function is called. */
  onInterrupt(listener: () => void): () => void;
  /** Ends the program at once. */
  exit(code: number): void;
}

export function processTerminal(): Terminal {
  const { env, stdout, stderr, stdin } = process;
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
      return stdin; // opened when it is read: an open terminal keeps the program running
    },
    get stdinTty() {
      return stdin.isTTY === true;
    },
    env,
    cwd: process.cwd(),
    root: process.getuid?.() === 0,
    get by() {
      return `${env.SUDO_USER ?? env.USER ?? env.LOGNAME ?? (process.getuid?.() === 0 ? "root" : String(process.getuid?.()))}@${env.HOSTNAME ?? hostname()}`;
    },
    onInterrupt(listener) {
      process.on("SIGINT", listener);
      return () => {
        process.off("SIGINT", listener);
      };
    },
    exit: (code) => process.exit(code),
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
