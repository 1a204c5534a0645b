import { Readable, Writable } from "node:stream";
import { runCli } from "../src/cli.ts";
import type { Document } from "../src/documents.ts";
import { printDocument } from "../src/output/print.ts";
import type { Terminal } from "../src/terminal.ts";
import { checkDocument, checkLines } from "./printed.ts";

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Stdout and stderr are terminals of 80 columns. */
  readonly tty?: boolean;
  /** Default: Linux. */
  readonly platform?: NodeJS.Platform;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
  /** Typed lines, one for each question. */
  readonly typed?: readonly string[];
  readonly onInterrupt?: (listener: () => void) => void;
}

const into = (add: (text: string) => void) =>
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      add(chunk.toString("utf8"));
      done();
    },
  });

/** Runs the program in this process, in the environment that `options` describe. */
export async function ctl(argv: readonly string[], options: RunOptions = {}): Promise<Run> {
  let [out, err] = ["", ""];
  const typed = [...(options.typed ?? [])];
  const terminal: Terminal = {
    out: {
      tty: options.tty === true,
      columns: 80,
      write: (text) => {
        out += text;
      },
    },
    err: {
      tty: options.tty === true,
      columns: 80,
      write: (text) => {
        err += text;
      },
    },
    get stdin() {
      return Readable.from([
        options.typed === undefined ? (options.stdin ?? "") : `${typed.shift() ?? ""}\n`,
      ]);
    },
    stdinTty: options.typed !== undefined,
    env: { HOME: "/nonexistent", ...options.env },
    cwd: options.cwd ?? "/",
    root: true,
    platform: options.platform ?? "linux",
    by: "me@here",
    onInterrupt(listener) {
      options.onInterrupt?.(listener);
      return () => {};
    },
    onSignal: () => () => {},
    raw: { stdout: into((text) => (out += text)), stderr: into((text) => (err += text)) },
    keyboard: undefined,
    exit: () => {},
  };
  const printed: Document[] = [];
  const code = await runCli(argv, terminal, (to, mode, document) => {
    printed.push(document);
    return printDocument(to, mode, document);
  });
  for (const document of printed) checkDocument(argv, document);
  checkLines(argv, out, err);
  return { code, out, err };
}
