import { socketAddress } from "./desired.ts";
import type { Saved } from "./generations.ts";
import type { RouteTable, Server } from "./table.ts";

/** So many removed servers are remembered, the latest first. */
const MAX_DEPARTED = 500;

export const serversOf = (table: RouteTable): readonly Server[] =>
  table.routes.flatMap((route) => (route.kind === "redirect" ? [] : route.backend.servers));

/** The state with a new table: drained servers that it still has stay drained, and those that it no longer has can be waited for. Pure. */
export function savedAfter(before: Saved | undefined, table: RouteTable): Saved {
  const ids = new Set(serversOf(table).map((server) => server.id));
  const gone = [...(before ? serversOf(before.table) : []), ...(before?.departed ?? [])];
  return {
    table,
    drained: (before?.drained ?? []).filter((id) => ids.has(id)),
    departed: uniqueById(gone.filter((server) => !ids.has(server.id))).slice(0, MAX_DEPARTED),
  };
}

function uniqueById(servers: readonly Server[]): readonly Server[] {
  return [...new Map(servers.map((server) => [`${server.id} ${socketAddress(server)}`, server])).values()];
}
