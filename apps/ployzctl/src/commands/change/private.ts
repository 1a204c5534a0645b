import { randomBytes } from "node:crypto";
import type { BranchInput } from "@ployz/primitives";
import { hash } from "bcryptjs";
import type { Context } from "../../command.ts";
import type { Outcome } from "../../operation/follow.ts";

/** Of the namespace that it lets users into. */
const SECRET = "preview-users";
const USER = "preview";
/** The password has 128 bits: a higher cost would only slow the gateway down. */
const COST = 4;

/**
 * Runs what needs a secret with users. Where the namespace has none yet, one user gets a password, which is shown once, and the secret goes again when
 * nothing was committed.
 */
export async function withUsers(
  context: Context,
  { namespace, preview }: { readonly namespace: string; readonly preview: boolean },
  run: (more?: Pick<BranchInput, "users">) => Promise<Outcome>,
): Promise<Outcome> {
  const client = await context.client();
  const { secrets } = await client.request("GET /v1/secrets", { query: {}, signal: context.signal });
  const there = secrets.some((one) => one.namespace === namespace && one.name === SECRET);
  if (there) return run({ users: SECRET });
  if (preview) return run();
  const params = { ns: namespace, name: SECRET };
  const password = randomBytes(16).toString("base64url");
  await client.request("PUT /v1/secrets/:ns/:name", {
    params,
    body: { value: `${USER}:${await hash(password, COST)}`, by: context.terminal.by },
    signal: context.signal,
  });
  const forget = () => client.request("DELETE /v1/secrets/:ns/:name", { params }).catch(() => undefined);
  let outcome: Outcome;
  try {
    outcome = await run({ users: SECRET });
  } catch (error) {
    await forget();
    throw error;
  }
  const over =
    outcome.kind === "operation"
      ? ["failed", "aborted"].includes(outcome.state) || (outcome.state === "done" && !outcome.changed)
      : outcome.kind !== "detached";
  // Removing it is refused while a committed route uses it.
  if (over) await forget();
  else tell(context, { namespace, password });
  return outcome;
}

/** On stderr, also where progress is not shown: the only time that anyone sees it. */
function tell(
  { globals, terminal }: Context,
  made: { readonly namespace: string; readonly password: string },
): void {
  const text = `user ${USER}, password ${made.password} (not shown again; another: ployzctl secret set ${made.namespace}/${SECRET})`;
  terminal.err.write(
    globals.json && globals.events ? `${JSON.stringify({ type: "note", text })}\n` : `${text}\n`,
  );
}
