import type { Commands } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";

/** Runs an operator's program inside an instance. @throws PloyzError `hook_failed`. */
export async function runHook(
  runtime: Pick<Runtime, "exec">,
  { id, argv, timeoutMs }: Commands["backup.hook"]["args"],
  signal: AbortSignal,
): Promise<null> {
  const name = argv.join(" ").slice(0, 60);
  const failed = (why: string, cause?: unknown) =>
    new PloyzError(
      {
        code: "hook_failed",
        message: `${name} in ${id} ${why}`,
        hint: `try it: ployzctl exec ${id} -- ${name}`,
      },
      { cause },
    );
  try {
    const { exitCode, stdout, stderr } = await runtime.exec(id, argv, { timeoutMs, signal });
    if (exitCode === 0) return null;
    const said = `${stdout}\n${stderr}`.trim().split("\n").at(-1) ?? "";
    throw failed(`ended with exit code ${exitCode}${said === "" ? "" : `: ${said.slice(0, 300)}`}`);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PloyzError && error.code === "hook_failed") throw error;
    throw failed(`failed: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}
