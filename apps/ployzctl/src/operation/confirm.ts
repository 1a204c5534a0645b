import type { Context } from "../command.ts";
import { PloyzError } from "../error-codes.ts";
import { usage } from "../errors.ts";

/** Asks before `command` runs. @throws PloyzError `usage` where it cannot ask, `aborted` when the answer is no. */
export async function confirm(context: Context, command: string, question: string): Promise<void> {
  const answer = await context.confirm(question);
  if (answer === undefined) {
    const why = context.globals.json ? "--json does not ask" : "stdin is not a terminal";
    throw usage(`${command} needs confirmation, but ${why}`, "pass --yes to confirm");
  }
  if (!answer) throw new PloyzError({ code: "aborted", message: "not confirmed: nothing was changed" });
}
