import type { StoreRecord } from "../server/record.ts";

/** Where the store stands, as far as the machines that answered know. */
export interface Survey {
  /** The newest generation that serves: its machines that are open, and `host:port` of each. */
  readonly serving?: {
    readonly generation: number;
    readonly machines: readonly string[];
    readonly servers: readonly string[];
  };
  /**
   * A re-founding that was not brought to its end. `decided`: a majority of the old set has retired for it; it can only be
   * finished (`refound` with the same id). Otherwise it can be given up, or another one takes its place.
   */
  readonly unfinished: readonly {
    readonly id: string;
    readonly decided: boolean;
    /** The founding that is ready to be opened. */
    readonly founding?: { readonly generation: number; readonly machines: readonly string[] };
    /** The generation that it holds closed. */
    readonly fenced?: { readonly generation: number; readonly machines: readonly string[] };
  }[];
}

/** Reads the records of all machines together. Pure. `undefined`: no store there, or no answer. */
export function surveyStore(records: Readonly<Record<string, StoreRecord | undefined>>): Survey {
  const entries = Object.entries(records).flatMap(([machine, record]) =>
    (record?.generations ?? []).map((entry) => ({ machine, ...entry })),
  );
  const open = entries.filter(({ state }) => state === "serving");
  const newest = Math.max(0, ...open.map(({ generation }) => generation));
  const serving = open.filter(({ generation }) => generation === newest);

  const newer = entries.filter(({ generation, state }) => generation >= newest && state !== "serving");
  const ids = new Set(newer.flatMap(({ state, id, fence }) => (state === "founding" ? id : fence) ?? []));
  const unfinished = [...ids].sort().map((id) => {
    const founding = newer.filter((entry) => entry.state === "founding" && entry.id === id);
    const closed = newer.filter((entry) => entry.state !== "founding" && entry.fence === id);
    const retired = closed.filter(({ state }) => state === "retired");
    return {
      id,
      decided: retired.length > (closed[0]?.routes?.servers.length ?? 1) / 2,
      ...group("founding", founding),
      ...group("fenced", closed),
    };
  });
  return {
    ...(newest > 0 && {
      serving: {
        generation: newest,
        machines: serving.map(({ machine }) => machine),
        servers: serving.flatMap(({ listen }) => (listen ? `${listen.host}:${listen.port}` : [])),
      },
    }),
    unfinished: unfinished.filter(({ fenced, founding }) => fenced !== undefined || founding !== undefined),
  };
}

function group<Name extends string>(
  name: Name,
  entries: readonly { readonly machine: string; readonly generation: number }[],
): Partial<Record<Name, { readonly generation: number; readonly machines: readonly string[] }>> {
  const [first] = entries;
  if (!first) return {};
  const value = { generation: first.generation, machines: entries.map(({ machine }) => machine) };
  return { [name]: value } as Record<Name, typeof value>;
}
