import { PloyzError } from "../error-codes.ts";
import type { SshResult } from "./exec.ts";

/** Written to stdout before a command's own output: a login shell may print before it, and be another shell than sh. */
export const MARK = "ployz-output-7f3c1e";

/** Without all that the login shell printed. @throws PloyzError `remote_failed`: it ended, or ran something else, instead of the command. */
export function ownOutput(result: SshResult, host: string): SshResult {
  const at = result.stdout.indexOf(`${MARK}\n`);
  if (at >= 0) return { ...result, stdout: result.stdout.slice(at + MARK.length + 1) };
  throw new PloyzError({
    code: "remote_failed",
    message: `${host}: the login shell did not run the command (exit code ${result.exitCode})`,
    hint: "its start files must neither end the session nor start another program: see ~/.bashrc and ~/.profile there",
    details: { stdout: result.stdout.slice(-1000), stderr: result.stderr.slice(-1000) },
  });
}
