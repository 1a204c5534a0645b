import type { Client } from "@ployz/primitives/client";
import type { Document } from "./documents.ts";
import type { Progress } from "./output/progress.ts";
import type { Globals, Settings } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

export interface Argument {
  readonly name: string;
  readonly summary: string;
  readonly required?: boolean;
  /** Takes all that follow. */
  readonly many?: boolean;
}

export interface Option {
  readonly type: "text" | "flag" | "number" | "list";
  readonly summary: string;
  readonly short?: string;
  /** What stands for the value in the usage, e.g. `FILE`. */
  readonly value?: string;
  readonly choices?: readonly string[];
}

/** A command as data. `run` returns what is now true; only `output/` prints it. */
export interface Command {
  readonly path: readonly [string, ...string[]];
  readonly summary: string;
  /** More lines for `--help` and the reference. */
  readonly details?: string;
  readonly args?: readonly Argument[];
  readonly options?: Readonly<Record<string, Option>>;
  readonly examples?: readonly string[];
  run(context: Context, input: Input): Promise<Document>;
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
  /** Every command that there is, for those that speak of commands. */
  readonly commands: readonly Command[];
  readonly terminal: Terminal;
  readonly globals: Globals;
  readonly progress: Progress;
  /** Aborts at `--timeout`. */
  readonly signal: AbortSignal;
  settings(): Promise<Settings>;
  /** The daemon of this machine, or of `--host`. One per run. */
  client(): Promise<Client>;
  /** Asks yes or no on the terminal; undefined where there is nobody to ask. */
  confirm(question: string): Promise<boolean | undefined>;
}
