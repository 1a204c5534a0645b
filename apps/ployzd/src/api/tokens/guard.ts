import { type ErrorBody, errorBody, PloyzError as WireError } from "@ployz/errors";
import type { StreamAsk } from "@ployz/primitives/protocol";
import type { Daemon } from "../../daemon/daemon.ts";
import type { ApiRoutes, Call, FileAnswer, Routes } from "../router.ts";
import { type Demand, type Grant, namedBy, need } from "./grant.ts";
import { type AnyRule, ruleOf } from "./rules.ts";

type Outcome = { readonly outcome: string; readonly operation?: string };
const DONE: Outcome = { outcome: "done" };
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/**
 * The API for callers with a token: every call is checked against the rule of its route before its handler runs, answers are cut down to
 * namespaces of the token, and the records name the token whatever the caller says of itself. Refusals and changes are audited.
 */
export function guarded(routes: ApiRoutes, daemon: Daemon): Routes {
  async function admitted(kind: "json" | "streams" | "bytes", route: string, asked: Call) {
    const grant = grantIn(asked);
    const call = callBy(grant.caller, asked);
    let demand: Demand = { what: route, allow: "never" };
    try {
      const rule = ruleOf(kind, route);
      demand = { what: route, ...(await rule.demand(call, { daemon, grant })) };
      need(grant, demand);
      const end = (how: Outcome) => {
        if (!route.startsWith("GET ")) audit(daemon, grant, demand, how);
      };
      return { call, grant, rule, end };
    } catch (error) {
      audit(daemon, grant, demand, { outcome: errorBody(error).code });
      throw error;
    }
  }

  const json = entries(routes.json).map(([route, handler]) => [
    route,
    async (asked: Call) => {
      const { call, grant, rule, end } = await admitted("json", route, asked);
      try {
        const out = await (handler as AnyHandler)(call);
        const shown = rule.shows === undefined ? out : rule.shows(out, grant);
        end(DONE);
        return shown;
      } catch (error) {
        end({ outcome: errorBody(error).code });
        throw thrownTo(grant, error);
      }
    },
  ]);
  const streams = entries(routes.streams).map(([route, handler]) => [
    route,
    async function* (asked: Call) {
      const { call, grant, rule, end } = await admitted("streams", route, asked);
      let last = DONE;
      try {
        for await (const event of (handler as AnyStream)(call)) {
          last = outcomeOf(event, last);
          const shown = shownOf(rule, event, grant);
          if (shown !== undefined) yield refusedTo(grant, shown);
        }
      } catch (error) {
        last = { ...last, outcome: errorBody(error).code };
        throw thrownTo(grant, error);
      } finally {
        end(last);
      }
    },
  ]);
  const bytes = entries(routes.bytes).map(([route, handler]) => [
    route,
    async (asked: Call) => {
      const { call } = await admitted("bytes", route, asked);
      return (handler as AnyBytes)(call);
    },
  ]);
  return {
    json: Object.fromEntries(json),
    streams: Object.fromEntries(streams),
    bytes: Object.fromEntries(bytes),
  };
}

type AnyHandler = { handle(call: Call): Promise<unknown> }["handle"];
type AnyStream = { handle(call: Call): AsyncIterable<unknown> }["handle"];
type AnyBytes = { handle(call: Call): Promise<FileAnswer> }["handle"];

const entries = <T extends object>(routes: T): [string, T[keyof T]][] => Object.entries(routes);

const shownOf = ({ shows }: AnyRule, event: unknown, grant: Grant): unknown =>
  shows === undefined ? event : shows(event, grant);

/** An error about an unknown namespace names the others of the cluster: to a token, those that it has. */
const errorTo = ({ record }: Grant, body: ErrorBody): ErrorBody =>
  body.code === "no_such_namespace"
    ? { ...body, hint: `the token is for ${record.namespaces.join(", ")}` }
    : body;

function thrownTo(grant: Grant, error: unknown): unknown {
  const body = errorBody(error);
  const shown = errorTo(grant, body);
  return shown === body ? error : new WireError(shown);
}

function refusedTo(grant: Grant, event: unknown): unknown {
  if (!isObject(event) || !("refusals" in event) || !Array.isArray(event.refusals)) return event;
  return { ...event, refusals: event.refusals.map((one: ErrorBody) => errorTo(grant, one)) };
}

function grantIn({ grant }: Call): Grant {
  if (grant !== undefined) return grant;
  throw new Error("a call without a token reached the guard");
}

/** The body is read once, so that the handler gets the checked one. Who asks is the token, which has no SSH keys. */
function callBy(caller: string, call: Call): Call {
  let body: Promise<unknown> | undefined;
  const read = async () => {
    const found = await call.body();
    if (!isObject(found) || !("by" in found)) return found;
    const { credentials: _, ...rest }: { by: unknown; credentials?: unknown } = found;
    return { ...rest, by: caller };
  };
  return {
    ...call,
    ...("by" in call.query && { query: { ...call.query, by: caller } }),
    body() {
      body ??= read();
      return body;
    },
  };
}

function outcomeOf(event: unknown, last: Outcome): Outcome {
  if (!isObject(event) || !("type" in event)) return last;
  if (event.type === "accepted" && "operation" in event && typeof event.operation === "string")
    return { ...last, operation: event.operation };
  if (event.type === "refused" && "refusals" in event && Array.isArray(event.refusals))
    return { ...last, outcome: errorBody(event.refusals[0]).code };
  if (event.type === "result" && "result" in event && isObject(event.result) && "state" in event.result)
    return { ...last, outcome: String(event.result.state) };
  return last;
}

function audit(daemon: Daemon, grant: Grant, demand: Demand, how: Outcome): void {
  daemon.present()?.audit.write({
    ...{ type: "call", at: new Date().toISOString(), caller: grant.caller, command: demand.what },
    ...(namedBy(demand).length > 0 && { object: namedBy(demand).join(",").slice(0, 200) }),
    ...how,
  });
}

const KINDS = { exec: "exec", run: "run", forward: "port-forward" } as const;

/** The same for a stream to an instance. @throws PloyzError `not_permitted`. */
export function admitStream(daemon: Daemon, grant: Grant, ask: StreamAsk): StreamAsk {
  const what = KINDS[ask.kind];
  const demand: Demand = { what, allow: [what], in: [ask.namespace] };
  let outcome = "done";
  try {
    need(grant, demand);
    return { ...ask, by: grant.caller };
  } catch (error) {
    outcome = errorBody(error).code;
    throw error;
  } finally {
    audit(daemon, grant, demand, { outcome });
  }
}
