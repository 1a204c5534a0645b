import type { Readable, Writable } from "node:stream";
import { ExecaError, execa, type Options } from "execa";
import { ExecError } from "./errors.ts";
import { redact } from "./redact.ts";

/** Environment, input and limits of one program. */
export interface RunOptions {
  readonly cwd?: string;
  /** Added to the caller's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to stdin, which is then closed. Without it stdin is empty. */
  readonly input?: string | Uint8Array | Readable;
  /** Milliseconds; default 30,000. After it the process is killed and `exec_timeout` thrown. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Strings that must not appear in errors. (They should not be in argv either: pass secrets through stdin or a 0600 file.) */
  readonly redact?: readonly string[];
  /** Default `[0]`. */
  readonly okExitCodes?: readonly number[];
  /** Limit in bytes for each of stdout and stderr; more output is `exec_failed`. Default 64 MiB. */
  readonly maxOutputBytes?: number;
}

/** Output and exit code of a program that ended as expected. */
export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/**
 * Runs a program to completion, without a shell.
 * @throws ExecError `exec_not_found`, `exec_timeout`, `exec_aborted` or `exec_failed` (an exit code that is not OK, or a signal).
 */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  try {
    const result = await execa(program, args, {
      ...common(options),
      ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input as string }),
      timeout: options.timeoutMs ?? 30_000,
      maxBuffer: options.maxOutputBytes ?? 64 * 1024 * 1024,
      stripFinalNewline: false,
    });
    return { stdout: String(result.stdout), stderr: String(result.stderr), exitCode: result.exitCode ?? 0 };
  } catch (error) {
    const failure = error as ExecaError;
    if (typeof failure.exitCode === "number" && isOk(failure, options)) {
      return { stdout: String(failure.stdout), stderr: String(failure.stderr), exitCode: failure.exitCode };
    }
    throw asExecError(program, args, error, options);
  }
}

/** A program that runs, with its streams. */
export interface RunningProgram {
  readonly stdin: Writable;
  /** To be read in the same turn of the event loop: what comes while it has no reader is thrown away. */
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly pid: number | undefined;
  /** Resolves when the program exits successfully; rejects with `ExecError` otherwise. Stderr is kept up to 64 KiB. */
  readonly done: Promise<{ readonly stderr: string; readonly exitCode: number }>;
  /** Sends the signal, SIGTERM by default. No effect once it has ended. */
  kill(signal?: NodeJS.Signals): void;
}

/** Options of a program whose output is read as it comes. */
export interface StreamOptions extends Omit<RunOptions, "input" | "maxOutputBytes"> {
  /** Runs it in its own session (setsid(2)): signals of the caller's terminal do not reach it, and it cannot ask there. */
  readonly ownSession?: boolean;
}

/** Starts a program whose output is consumed as a stream. No deadline unless `timeoutMs` is given. */
export function spawnStream(
  program: string,
  args: readonly string[],
  options: StreamOptions = {},
): RunningProgram {
  const child = execa(program, args, {
    ...common(options),
    ...(options.timeoutMs !== undefined && { timeout: options.timeoutMs }),
    ...(options.ownSession === true && { detached: true }),
    stdin: "pipe",
    buffer: false,
  });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString("utf8")).slice(-65_536);
  });
  const done = child.then(
    (result) => ({ stderr, exitCode: result.exitCode ?? 0 }),
    (error: unknown) => {
      const failure = error as ExecaError;
      if (typeof failure.exitCode === "number" && isOk(failure, options))
        return { stderr, exitCode: failure.exitCode };
      throw asExecError(program, args, error, options, stderr);
    },
  );
  done.catch(() => {}); // the caller awaits `done`; a caller that only reads the streams must not crash the process
  return {
    stdin: child.stdin as Writable,
    stdout: child.stdout as Readable,
    stderr: child.stderr as Readable,
    pid: child.pid,
    done,
    kill: (signal = "SIGTERM") => void child.kill(signal),
  };
}

function common(options: RunOptions): Options {
  return {
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.env !== undefined && { env: options.env }),
    ...(options.signal !== undefined && { cancelSignal: options.signal }),
    forceKillAfterDelay: 2_000,
  };
}

function isOk(
  failure: { exitCode?: number; timedOut?: boolean; isCanceled?: boolean },
  options: RunOptions,
): boolean {
  if (failure.timedOut === true || failure.isCanceled === true) return false;
  return (options.okExitCodes ?? [0]).includes(failure.exitCode ?? -1);
}

function asExecError(
  program: string,
  args: readonly string[],
  error: unknown,
  options: RunOptions,
  streamed?: string,
): unknown {
  if (!(error instanceof ExecaError)) return error;
  const hide = (text: string) => redact(text, options.redact);
  const shown = args.map(hide);
  const stderr = hide(streamed ?? String(error.stderr ?? ""));
  const base = { program, args: shown, exitCode: error.exitCode, signal: error.signal, stderr };
  const line = stderr.trim().split("\n").at(-1) ?? "";
  const call = [program, ...shown.slice(0, 3)].join(" ");
  if (error.code === "ENOENT") {
    return new ExecError({
      ...base,
      code: "exec_not_found",
      message: `${program} is not installed or not in PATH`,
      hint: `install ${program}`,
    });
  }
  if (error.timedOut) {
    const limit = options.timeoutMs ?? 30_000;
    return new ExecError({
      ...base,
      code: "exec_timeout",
      message: `${call} did not finish within ${limit} ms`,
    });
  }
  if (error.isCanceled)
    return new ExecError({ ...base, code: "exec_aborted", message: `${call} was aborted` });
  const how =
    error.signal === undefined ? `failed with exit code ${error.exitCode}` : `was killed by ${error.signal}`;
  const why = line !== "" ? line : hide(error.originalMessage ?? "");
  return new ExecError(
    { ...base, code: "exec_failed", message: `${call} ${how}${why === "" ? "" : `: ${why}`}` },
    { cause: error.cause },
  );
}
