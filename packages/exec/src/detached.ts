import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { ExecError } from "./errors.ts";
import { identify, type ProcessIdentity } from "./identity.ts";

export interface DetachedOptions {
  /** Appended to; holds stdout and stderr. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/**
 * Starts a program in its own session (setsid(2)), so that it survives the caller and the caller's terminal.
 * @throws ExecError `exec_not_found` or `exec_failed` when it cannot be started or exits at once.
 */
export async function spawnDetached(
  program: string,
  args: readonly string[],
  options: DetachedOptions,
): Promise<ProcessIdentity> {
  const log = await open(options.logFile, "a", 0o640);
  try {
    const child = spawn(program, [...args], {
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      env: { ...process.env, ...options.env },
      ...(options.cwd !== undefined && { cwd: options.cwd }),
    });
    await once(child, "spawn");
    child.unref();
    const identity = child.pid === undefined ? undefined : await identify(child.pid);
    if (identity === undefined) {
      throw new ExecError({
        code: "exec_failed",
        program,
        args,
        stderr: "",
        message: `${program} exited at once`,
        hint: `read ${options.logFile}`,
      });
    }
    return identity;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof ExecError || (code !== "ENOENT" && code !== "EACCES")) throw error;
    throw new ExecError(
      {
        code: "exec_not_found",
        program,
        args,
        stderr: "",
        message: `${program} is not installed or not executable`,
        hint: `install ${program}`,
      },
      { cause: error },
    );
  } finally {
    await log.close();
  }
}
