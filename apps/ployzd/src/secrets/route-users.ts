import { routeUsers } from "@ployz/primitives/host";
import { secretKey } from "@ployz/primitives/protocol";
import type { Logger } from "pino";
import { askUsers } from "../host/follower-client.ts";
import { followChanges } from "../state/follow-changes.ts";
import type { Paths } from "../state/paths.ts";
import type { Records } from "../state/records.ts";
import { openUserFiles, type UserFiles } from "../state/route-users.ts";
import type { SecretKeeper } from "./keeper.ts";

export interface RouteUsersDeps {
  readonly mirror: Pick<Records, "heads" | "facts" | "onChange">;
  readonly secrets: Pick<SecretKeeper, "read">;
  readonly paths: Pick<Paths, "routeUsers" | "gatewaySocket">;
  readonly signal: AbortSignal;
  readonly log: Pick<Logger, "warn">;
}

/**
 * Keeps this machine's copies of the users of routes as the store has them, for the life of the member, and tells the gateway. A new password needs
 * no deploy: it counts as soon as the secret is set.
 */
export async function keepRouteUsers(deps: RouteUsersDeps): Promise<void> {
  const { mirror, signal, paths, log } = deps;
  const files = openUserFiles(paths.routeUsers);
  const warn = (error: unknown) => log.warn({ err: error }, "users of routes");
  await followChanges({ mirror, signal, log: warn }, async () => {
    if (await bring(deps, files)) await askUsers(paths.gatewaySocket, signal);
  });
}

/** Resolves with whether a file has changed. */
async function bring({ mirror, secrets }: RouteUsersDeps, files: UserFiles): Promise<boolean> {
  const commits = mirror.heads().map(({ value }) => value);
  const facts = mirror.facts("secret").map(({ value, revision }) => ({ record: value, revision }));
  const wanted = routeUsers(
    commits.filter(({ removed }) => removed !== true),
    facts,
  );
  const key = ({ namespace, name }: { readonly namespace: string; readonly name: string }) =>
    secretKey({ namespace, name });
  const here = new Map((await files.list()).map((one) => [key(one), one]));
  let changed = false;
  for (const { ref, ...one } of wanted) {
    const present = here.get(key(one));
    here.delete(key(one));
    // A secret that the store has lost lets in whom it did before.
    if (
      ref === undefined ||
      (present?.ref.version === ref.version && present.ref.namespace === ref.namespace)
    )
      continue;
    const [text = ""] = await secrets.read([ref]);
    await files.put({ ...one, ref, text });
    changed = true;
  }
  for (const gone of here.values()) {
    await files.remove(gone);
    changed = true;
  }
  return changed;
}
