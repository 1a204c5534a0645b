import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readdir, readFile } from "node:fs/promises";
import { ExecError } from "./errors.ts";
import { identify, type ProcessIdentity } from "./identity.ts";

/** Where a detached program writes, and what it starts with. */
export interface DetachedOptions {
  /** Appended to; holds stdout and stderr. */
  readonly logFile: string;
  /** The whole environment. Default: the caller's. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Descriptors of whoever started this process that a program would inherit: fcntl(2), `FD_CLOEXEC` as proc(5) shows it in octal. */
async function inherited(): Promise<readonly number[]> {
  const open = (await readdir("/proc/self/fd")).map(Number).filter((fd) => fd > 2);
  const found = await Promise.all(
    open.map(async (fd) => {
      const text = await readFile(`/proc/self/fdinfo/${fd}`, "utf8").catch(() => "");
      const flags = /^flags:\s*([0-7]+)$/m.exec(text)?.[1];
      return flags !== undefined && (Number.parseInt(flags, 8) & 0o2000000) === 0 ? [fd] : [];
    }),
  );
  return found.flat();
}

/**
 * Starts a program in its own session (setsid(2)), so that it survives the caller and the caller's terminal. It inherits no open file: descriptors
 * that the caller got from its own caller are the null device.
 * @throws ExecError `exec_not_found` or `exec_failed` when it cannot be started or exits at once.
 */
export async function spawnDetached(
  program: string,
  args: readonly string[],
  options: DetachedOptions,
): Promise<ProcessIdentity> {
  const log = await open(options.logFile, "a", 0o640);
  const nothing = await open("/dev/null", "r+");
  const stdio: ("ignore" | number)[] = ["ignore", log.fd, log.fd];
  try {
    for (const fd of await inherited()) stdio[fd] = nothing.fd;
    const child = spawn(program, [...args], {
      detached: true,
      stdio: Array.from(stdio, (one) => one ?? "ignore"),
      ...(options.env !== undefined && { env: options.env }),
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
    await nothing.close();
  }
}
