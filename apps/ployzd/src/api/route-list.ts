import type { RouteList } from "@ployz/primitives/client";
import { type Commit, canaryOf } from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import { routeId } from "../follower/project.ts";
import { askFollower } from "../host/follower-client.ts";
import type { ApiRoutes } from "./router.ts";

export const committedRoutes = (daemon: Daemon): Pick<ApiRoutes["json"], "GET /v1/routes"> => ({
  "GET /v1/routes": async ({ signal }) => {
    const member = daemon.member();
    const gateway = await gatewayState(daemon.paths.gatewaySocket, signal);
    return routeList(member.membership().machine.id, member.heads(), gateway);
  },
});

const ASK_MS = 2_000;

/** State of this machine's gateway; absent when it does not answer. */
export interface GatewayState {
  readonly applied: Readonly<Record<string, number>>;
  /** Ids of routes that it does not serve, each with the reason in brackets. */
  readonly dropped: readonly string[];
}

/** The committed routes, each with whether this machine's gateway serves it now. Pure. */
export function routeList(
  machine: string,
  heads: readonly { readonly commit: Commit; readonly revision: number }[],
  gateway: GatewayState | undefined,
): RouteList {
  return {
    kind: "routes",
    machine,
    routes: heads.flatMap(({ commit, revision }) =>
      commit.removed
        ? []
        : commit.routes.map((route) => {
            const { namespace } = commit;
            const id = routeId(namespace, route);
            const why = gateway?.dropped.find((one) => one === id || one.startsWith(`${id} `));
            const late = gateway !== undefined && (gateway.applied[namespace] ?? 0) < revision;
            const served =
              gateway === undefined ? "unknown" : why !== undefined ? "no" : late ? "earlier" : "yes";
            const canary = canaryOf(commit, route.service);
            return {
              ...route,
              ...(canary !== undefined &&
                route.port !== undefined && { canary: { service: canary.name, share: canary.share } }),
              ...{ namespace, revision, served },
              ...(why !== undefined && { why: /\((.*)\)$/.exec(why)?.[1] ?? why }),
            };
          }),
    ),
  };
}

async function gatewayState(socket: string, signal: AbortSignal): Promise<GatewayState | undefined> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
  const found = await askFollower(socket, undefined, until).catch(() => undefined);
  if (found === undefined) return undefined;
  const { dropped = [] } = (found.status ?? {}) as { readonly dropped?: readonly string[] };
  return { applied: found.applied, dropped };
}
