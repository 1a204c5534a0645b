import { findPrepared, OperationBody, own, shaped } from "@ployz/primitives/host";
import type { Permission } from "@ployz/primitives/protocol";
import type { Daemon } from "../../daemon/daemon.ts";
import { invalid, operationId } from "../../operations/request.ts";
import type { ApiRoutes } from "../router.ts";
import { type Demand, type Grant, notPermitted } from "./grant.ts";
import { inputDemand } from "./inputs.ts";
import * as show from "./shown.ts";

type Asked = Omit<Demand, "what"> & { readonly what?: string };
/** The daemon, for what a call only names by an id. */
interface Around {
  readonly daemon: Daemon;
  readonly grant: Grant;
}
/** What a route demands of a call, and what a caller sees of its answer. `undefined`: this event is not shown. */
interface Rule<C, Out, Shown = Out> {
  demand(call: C, around: Around): Asked | Promise<Asked>;
  shows?(out: Out, grant: Grant): Shown;
}
type CallOf<H> = H extends (call: infer C) => unknown ? C : never;
type EventOf<H> = H extends (call: never) => AsyncIterable<infer E> ? E : never;

interface Rules {
  readonly json: {
    readonly [R in keyof ApiRoutes["json"]]: Rule<
      CallOf<ApiRoutes["json"][R]>,
      Awaited<ReturnType<ApiRoutes["json"][R]>>
    >;
  };
  readonly streams: {
    readonly [R in keyof ApiRoutes["streams"]]: Rule<
      CallOf<ApiRoutes["streams"][R]>,
      EventOf<ApiRoutes["streams"][R]>,
      EventOf<ApiRoutes["streams"][R]> | undefined
    >;
  };
  readonly bytes: {
    readonly [R in keyof ApiRoutes["bytes"]]: Rule<CallOf<ApiRoutes["bytes"][R]>, never>;
  };
}

const never = { demand: (): Asked => ({ allow: "never" }) };
const any = { demand: (): Asked => ({ allow: "any" }) };
/** Of the namespace in the path. */
const inPath = (...allow: readonly Permission[]) => ({
  demand: ({ params }: { readonly params: { readonly ns: string } }): Asked => ({ allow, in: [params.ns] }),
});
/** Of the namespace in the query, or of all that the caller sees. */
const queried = (...allow: readonly Permission[]) => ({
  demand: ({ query }: { readonly query: { readonly namespace?: string } }): Asked => ({
    allow,
    ...(query.namespace !== undefined && { in: [query.namespace] }),
  }),
});

/** Of `branch --private`, which makes a user before the branch is there. */
const BRANCH_USERS = "preview-users";
const ofSecret = {
  demand: ({ params }: { readonly params: { readonly ns: string; readonly name: string } }): Asked => ({
    allow: params.name === BRANCH_USERS ? ["secret", "branch"] : ["secret"],
    in: [params.ns],
  }),
};

/** The caller's own operation with any token; that of another with `read`, in its namespaces. */
async function ofOperation(id: string, { daemon, grant }: Around, ownOnly = false): Promise<Asked> {
  const detail = await daemon.member().runner.show(operationId(id));
  if (show.isOwn(grant, detail)) return { allow: "any" };
  if (ownOnly || !show.seesOperation(grant, detail.summary))
    throw notPermitted(grant.record, "use the operations of others", "ployzctl ops ls");
  return { allow: ["read"] };
}

const operationBody = shaped(OperationBody);

/** A prepared plan demands what it would do, whatever the request calls it. */
async function ofRequest(body: unknown, { daemon }: Around): Promise<Asked> {
  const { primitive, input = null, prepared } = operationBody(body);
  if (prepared === undefined) return inputDemand(primitive, input);
  const plan = await findPrepared(daemon.member().store, prepared, Date.now());
  return inputDemand(plan.primitive, plan.input);
}

/** `NAMESPACE.SERVICE.run.TAIL` and `NAMESPACE/SERVICE.SLOT` */
const namespaceIn = (name: string): string => name.split(/[./]/)[0] ?? "";

const ofTarget = (allow: readonly Permission[], target: string | undefined): Asked => ({
  allow,
  ...(target !== undefined && { in: [namespaceIn(target)] }),
});

/** Every route of the API. One that is not here is refused to tokens. */
export const RULES: Rules = {
  json: {
    "GET /v1/version": any,
    "GET /v1/names": {
      ...any,
      shows: ({ namespaces, ...names }, grant) => ({ ...names, namespaces: show.mine(namespaces, grant) }),
    },
    "GET /v1/status": { demand: () => ({ allow: ["read"] }), shows: show.statusShown },
    "GET /v1/ps": { ...queried("read"), shows: show.instancesShown },
    "GET /v1/runs": {
      demand: () => ({ allow: ["read", "run"] }),
      shows: ({ runs, ...list }, grant) => ({ ...list, runs: show.mine(runs, grant) }),
    },
    "POST /v1/runs/:id/stop": {
      demand: ({ params }) => ({ allow: ["run"], in: [namespaceIn(params.id)] }),
    },
    "GET /v1/routes": {
      demand: () => ({ allow: ["read"] }),
      shows: ({ routes, ...list }, grant) => ({ ...list, routes: show.mine(routes, grant) }),
    },
    "GET /v1/namespaces/:ns/history": inPath("read"),
    "GET /v1/namespaces/:ns/commits/:commit": inPath("read"),
    // With the values of `env`.
    "GET /v1/namespaces/:ns/manifest": inPath("deploy"),
    "POST /v1/branch/manifest": {
      demand: async ({ body }) => {
        const { source, target } = await body();
        return { allow: ["branch"], in: [source, target] };
      },
    },
    "GET /v1/volumes": {
      ...queried("read", "volume"),
      shows: ({ volumes, ...list }, grant) => ({ ...list, volumes: show.mine(volumes, grant) }),
    },
    "GET /v1/volumes/:ns/:name/snapshots": inPath("read", "volume"),
    "GET /v1/operations": {
      demand: () => ({ allow: ["read"] }),
      shows: ({ kind, operations }, grant) => ({
        kind,
        operations: operations.filter((one) => show.seesOperation(grant, one)),
      }),
    },
    "GET /v1/operations/:id": { demand: ({ params }, around) => ofOperation(params.id, around) },
    "POST /v1/operations/:id/abort": { demand: ({ params }, around) => ofOperation(params.id, around, true) },
    "GET /v1/bundles/:digest": { demand: () => ({ allow: ["deploy"] }) },
    // By its content: it replaces nothing.
    "PUT /v1/bundles/:digest": { demand: () => ({ allow: ["deploy"] }) },
    "GET /v1/schedules": {
      ...queried("read", "schedule"),
      shows: ({ kind, schedules }, grant) => ({ kind, schedules: show.mine(schedules, grant) }),
    },
    "POST /v1/schedules/:ns/:name": inPath("schedule"),
    "GET /v1/standbys": {
      ...queried("read", "volume"),
      shows: ({ kind, standbys }, grant) => ({ kind, standbys: show.mine(standbys, grant) }),
    },
    "GET /v1/secrets": { ...queried("read", "secret", "branch"), shows: show.secretsShown },
    "PUT /v1/secrets/:ns/:name": ofSecret,
    "DELETE /v1/secrets/:ns/:name": ofSecret,
    "GET /v1/backups": {
      ...queried("backup"),
      shows: ({ backups, ...list }, grant) => ({ ...list, backups: show.mine(backups, grant) }),
    },
    "GET /v1/backups/:id": {
      demand: () => ({ allow: ["backup"] }),
      shows(document, grant) {
        if (grant.covers(document.backup.namespace)) return document;
        throw notPermitted(grant.record, "use backups of other namespaces", "ployzctl backup ls");
      },
    },
    "GET /v1/tokens/:name": {
      demand: ({ params }, { grant }) => ({ allow: params.name === grant.record.name ? "any" : "never" }),
    },
    "GET /v1/tokens": never,
    "POST /v1/tokens": never,
    "DELETE /v1/tokens/:name": never,
    "POST /v1/daemon/keep": never,
    "GET /v1/daemon": never,
    "POST /v1/mesh/init": never,
    "GET /v1/mesh": never,
    "GET /v1/mesh/self": never,
    "POST /v1/mesh/join": never,
    "POST /v1/mesh/join-by-token": never,
    "POST /v1/mesh/endpoints": never,
    "POST /v1/mesh/leave": never,
    "POST /v1/invites": never,
    "GET /v1/invites": never,
    "POST /v1/invites/:id/revoke": never,
    "GET /v1/machines": never,
    "GET /v1/machines/rtt": never,
    "GET /v1/network/policy": never,
    "POST /v1/network/isolation": never,
    "GET /v1/doctor": never,
    "GET /v1/gateways": never,
    "GET /v1/store": never,
    "POST /v1/store/repair": never,
    "PUT /v1/store/backup": never,
    // Images have names that all namespaces share.
    "GET /v1/images": never,
    "GET /v1/images/usage": never,
    "GET /v1/images/inspect": never,
    "PUT /v1/images": never,
    "GET /v1/registries": never,
    "PUT /v1/registries": never,
    "DELETE /v1/registries/:host": never,
    "GET /v1/alerts": never,
    "PUT /v1/alerts/:name": never,
    "DELETE /v1/alerts/:name": never,
    "POST /v1/alerts/:name/test": never,
    "GET /v1/backup-repositories": never,
    "GET /v1/backup-repositories/:name": never,
    "GET /v1/certificates": never,
    "POST /v1/certificates": never,
    "DELETE /v1/certificates/:sealed": never,
    "GET /v1/certificate-account": never,
    "PUT /v1/certificate-account": never,
  },
  streams: {
    "POST /v1/operations": { demand: async ({ body }, around) => ofRequest(await body(), around) },
    "GET /v1/operations/:id/events": { demand: ({ params }, around) => ofOperation(params.id, around) },
    "POST /v1/volumes/import": {
      demand: ({ query }) => ({ allow: ["volume"], in: [query.namespace ?? ""] }),
    },
    "GET /v1/events": { demand: () => ({ allow: ["read"] }), shows: show.eventShown },
    "GET /v1/logs": { demand: ({ query }) => ofTarget(["logs"], query.target ?? ""), shows: show.logShown },
    "GET /v1/access": {
      demand: ({ query }) => ofTarget(["logs"], query.target),
      shows: show.requestShown,
    },
    "GET /v1/audit": never,
    "POST /v1/store/move": never,
    "POST /v1/store/restore": never,
    "POST /v1/store/recover": never,
  },
  bytes: {
    "GET /v1/volumes/:ns/:name/export": inPath("volume"),
    "POST /v1/store/snapshot": never,
  },
};

/** A rule as the guard uses it: the compiler has checked each above. */
export type AnyRule = {
  readonly demand: { demand(call: unknown, around: Around): Asked | Promise<Asked> }["demand"];
  readonly shows?: { shows(out: unknown, grant: Grant): unknown }["shows"];
};

/** @throws PloyzError `invalid_input` for a route without a rule. */
export function ruleOf(kind: keyof Rules, route: string): AnyRule {
  const rules: Readonly<Record<string, AnyRule>> = RULES[kind];
  const rule = own(rules, route);
  if (rule === undefined) throw invalid(`tokens may not use ${route}`);
  return rule;
}
