import type { GenerationRecord, StoreRecord } from "../server/record.ts";
import type { StoreServer, StoreSet } from "./machine.ts";

interface Part {
  readonly generation: number;
  readonly machines: readonly string[];
}

/** An unfinished re-founding. */
export interface Unfinished {
  readonly id: string;
  /**
   * A majority of the old set has retired for it, or a machine of the new set is open: it can only be finished (`refound` with this set).
   * Otherwise `abandon` it, and start another one.
   */
  readonly decided: boolean;
  /** The generation it founds, with the servers known to the machines that answered. */
  readonly set?: StoreSet;
  /** The generation it fences, and on which machines. */
  readonly closed?: Part;
}

/** The store's state, as known to the machines that answered. */
export interface Survey {
  /** The newest open generation: its machines, and `host:port` of each. */
  readonly serving?: Part & { readonly servers: readonly string[] };
  readonly unfinished: readonly Unfinished[];
}

type Entry = GenerationRecord & { readonly machine: string };

/** Combines the records of all machines. Pure. `undefined`: a machine without a store, or no answer. */
export function surveyStore(records: Readonly<Record<string, StoreRecord | undefined>>): Survey {
  const entries: readonly Entry[] = Object.entries(records).flatMap(([machine, record]) =>
    (record?.generations ?? []).map((entry) => ({ machine, ...entry })),
  );
  // The newest one that has served. Older ones no longer matter, even while this one is closed.
  const newest = Math.max(
    0,
    ...entries.filter(({ state }) => state !== "founding").map(({ generation }) => generation),
  );
  const serving = entries.filter(({ generation, state }) => state === "serving" && generation === newest);
  const recent = entries.filter(({ generation, state }) => generation >= newest && state !== "serving");
  const ids = new Set(recent.flatMap(({ state, id, fence }) => (state === "founding" ? id : fence) ?? []));
  return {
    ...(serving.length > 0 && {
      serving: {
        ...partOf(serving),
        servers: serving.flatMap(({ listen }) => (listen ? `${listen.host}:${listen.port}` : [])),
      },
    }),
    unfinished: [...ids].sort().map((id) => unfinished(id, entries, serving)),
  };
}

function unfinished(id: string, entries: readonly Entry[], serving: readonly Entry[]): Unfinished {
  const isOpen = serving.filter((entry) => entry.id === id);
  const founded = [...entries.filter((entry) => entry.state === "founding" && entry.id === id), ...isOpen];
  const closed = entries.filter((entry) => entry.state !== "founding" && entry.fence === id);
  const retired = closed.filter(({ state }) => state === "retired");
  const set = setOf(id, founded);
  return {
    id,
    decided: isOpen.length > 0 || retired.length > (closed[0]?.routes?.servers.length ?? 1) / 2,
    ...(set && { set }),
    ...(closed.length > 0 && { closed: partOf(closed) }),
  };
}

const partOf = (entries: readonly Entry[]): Part => ({
  generation: entries[0]?.generation ?? 0,
  machines: entries.map(({ machine }) => machine),
});

function setOf(id: string, founded: readonly Entry[]): StoreSet | undefined {
  const [first] = founded;
  if (!first) return undefined;
  const servers = founded.flatMap(({ machine, listen, monitorPort, routes }): StoreServer[] => {
    if (!listen || monitorPort === undefined) return [];
    const routePort = routes?.servers.find((server) => server.machine === machine)?.port ?? 0;
    return [{ machine, ...listen, routePort, monitorPort }];
  });
  return { generation: first.generation, id, servers, routeSecret: first.routes?.secret ?? "" };
}
