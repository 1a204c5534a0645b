import { openClient } from "@ployz/primitives/client";
import type { Source } from "../command.ts";
import type { Candidate } from "./candidates.ts";

/** A daemon that does not answer a local request within this is taken for away: the shell waits for us. Milliseconds. */
export const AWAY_MS = 80;
/** For a request that goes to the store. */
const STORE_MS = 1_000;

/** Names of the cluster. Rejects when the daemon is away. */
export async function daemonNames(
  socketPath: string,
  source: Exclude<Source, "file" | "context">,
): Promise<readonly Candidate[]> {
  const client = openClient({ socketPath });
  const { machines, namespaces } = await client.request("GET /v1/names", {
    signal: AbortSignal.timeout(AWAY_MS),
  });
  const signal = AbortSignal.timeout(STORE_MS);
  const below = (of: "services" | "volumes") =>
    namespaces.flatMap((row) => row[of].map((name) => ({ value: `${row.namespace}/${name}` })));
  switch (source) {
    case "machine":
      return machines.map((value) => ({ value }));
    case "namespace":
      return namespaces.map(({ namespace }) => ({ value: namespace }));
    case "service":
      return [...namespaces.map(({ namespace }) => ({ value: namespace })), ...below("services")];
    case "volume":
      return below("volumes");
    case "operation": {
      const { operations } = await client.request("GET /v1/operations", { query: { limit: "20" }, signal });
      return operations.map(({ operation, title, state }) => ({
        value: operation,
        summary: `${state}: ${title}`,
      }));
    }
    case "invite": {
      const { invites } = await client.request("GET /v1/invites", { signal });
      return invites.map(({ id, state }) => ({ value: id, summary: state }));
    }
    case "token": {
      const { tokens } = await client.request("GET /v1/tokens", { signal });
      return tokens.map(({ name, state }) => ({ value: name, summary: state }));
    }
  }
}
