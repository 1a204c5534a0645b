import type { Client } from "@ployz/primitives/client";
import type { Document, Kind } from "./documents.ts";
import type { Progress } from "./output/progress.ts";
import type { Globals, Settings } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

/** Where the shell's completion finds the values of an argument or a flag. */
export type Source =
  | "namespace"
  | "service"
  | "volume"
  | "machine"
  | "operation"
  | "invite"
  | "token"
  | "context"
  | "file";

export interface Argument {
  readonly name: string;
  readonly summary: string;
  readonly required?: boolean;
  /** Takes all that follow. */
  readonly many?: boolean;
  readonly source?: Source;
  readonly choices?: readonly string[];
  /** Fields of the command's input that it sets under another name than its own. */
  readonly sets?: readonly string[];
}

export interface Option {
  readonly type: "text" | "flag" | "number" | "list";
  readonly summary: string;
  readonly short?: string;
  /** Other long names. */
  readonly aliases?: readonly string[];
  /** The value's placeholder in the usage, e.g. `FILE`. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly source?: Source;
  /** Fields of the command's input that it sets under another name than its own. */
  readonly sets?: readonly string[];
}

export type Path = readonly [string, ...string[]];

/** A command as data. `run` returns the result; only `output/` prints it. */
export interface Command {
  readonly path: Path;
  /** Other paths of the same command. */
  readonly aliases?: readonly Path[];
  /** One line that begins with a verb and has no full stop. */
  readonly summary: string;
  /** Paragraphs for `--help` and the reference. Help wraps them. */
  readonly details?: readonly string[];
  readonly args?: readonly Argument[];
  readonly options?: Readonly<Record<string, Option>>;
  readonly examples: readonly [string, ...string[]];
  /** The kinds of its `--json` document, besides `error`. */
  readonly prints: readonly [Kind, ...Kind[]];
  run(context: Context, input: Input): Promise<Document>;
}

/** Nouns of the top help under one title, each with its summary. A noun that is a command itself has that command's. */
export interface Group {
  readonly title: string;
  readonly nouns: Readonly<Record<string, string | undefined>>;
}

/** The command's own arguments and options, checked against its definition. */
export interface Input {
  argument(name: string): string | undefined;
  arguments(name: string): readonly string[];
  text(option: string): string | undefined;
  number(option: string): number | undefined;
  list(option: string): readonly string[];
  flag(option: string): boolean;
}

export interface Context {
  readonly terminal: Terminal;
  readonly globals: Globals;
  readonly progress: Progress;
  /** Aborts at `--timeout`. */
  readonly signal: AbortSignal;
  settings(): Promise<Settings>;
  /** The daemon of this machine, of `--host`, or of a context. One per run. */
  client(): Promise<Client>;
  /** The name of the context or host whose daemon is used; undefined for this machine's own. */
  remote(): Promise<string | undefined>;
  /** The socket of this computer's SSH agent, as a path on the daemon's machine. */
  agent(): Promise<string | undefined>;
  /** Asks yes or no on the terminal; undefined where it cannot ask. */
  confirm(question: string): Promise<boolean | undefined>;
}
