/** One request that a gateway has answered. */
export interface AccessRecord {
  /** When the answer ended. */
  readonly time: string;
  readonly namespace?: string;
  readonly service?: string;
  /** Absent where the gateway answered by itself. */
  readonly instance?: string;
  readonly instanceMachine?: string;
  /** The peer of the connection, or the one that a trusted proxy names. */
  readonly client?: string;
  readonly scheme?: string;
  readonly host?: string;
  readonly method?: string;
  /** As the client sent it, without the query. */
  readonly path?: string;
  readonly protocol?: string;
  readonly status: number;
  /** Of the request and of the answer, with their headers. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Waiting for an instance, connecting to it, and until its first byte; absent where it did not come to that. */
  readonly queueMs?: number;
  readonly connectMs?: number;
  readonly responseMs?: number;
  /** From the request's first byte to the answer's last. */
  readonly totalMs: number;
  readonly requestId?: string;
  /** HAProxy's termination state (configuration manual, 8.5): `--` is a normal end. */
  readonly ended: string;
}

/** Who answers at an address, as the routes in effect say. */
export interface Upstreams {
  /** `address`: `10.101.1.2:8080`, as HAProxy logs it. */
  instance(address: string): { readonly id: string; readonly machine: string } | undefined;
}

const LINE = /^([0-9a-f]{32}) (\d{13}) (\S+) (\S+) (\{.*\})\s*$/s;

/** A line as HAProxy sends it, as a line of the log; `undefined` for any other. `tcp` and `redirect` backends have no service. */
export function accessLine(raw: string, key: string, upstreams: Upstreams): string | undefined {
  const [, given, ms, address = "", backend = "", fields = ""] = LINE.exec(raw) ?? [];
  if (given !== key) return undefined;
  const sent = parsed(fields);
  if (sent === undefined) return undefined;
  const [kind, namespace, service] = backend.split(":");
  const found = upstreams.instance(address);
  const record = {
    time: new Date(Number(ms)).toISOString(),
    ...(kind === "http" && namespace && service ? { namespace, service } : {}),
    ...(found && { instance: found.id, instanceMachine: found.machine }),
    ...Object.fromEntries(Object.entries(sent).filter(([, value]) => !MISSING.has(value))),
  };
  return `${JSON.stringify(record)}\n`;
}

/** As HAProxy writes what a request does not have. */
const MISSING: ReadonlySet<unknown> = new Set(["", "-", -1, "<BADREQ>"]);

function parsed(text: string): object | undefined {
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}
