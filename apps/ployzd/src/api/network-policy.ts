import { errorBody } from "@ployz/errors";
import { pause } from "@ployz/exec";
import type { NetworkEdge, NetworkPolicyDocument } from "@ployz/primitives/client";
import type { Commit } from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import type { Member } from "../daemon/member-parts.ts";
import { PloyzError } from "../error-codes.ts";
import { allows } from "../follower/policy.ts";
import { needNamespace } from "./named.ts";
import { committedRoutes } from "./route-list.ts";
import type { ApiRoutes } from "./router.ts";

const LOOK_MS = 6_000;

export const networkRoutes = (
  daemon: Daemon,
): Pick<ApiRoutes["json"], "GET /v1/network/policy" | "POST /v1/network/isolation" | "GET /v1/routes"> => ({
  ...committedRoutes(daemon),
  "GET /v1/network/policy": ({ query, signal }) => networkPolicy(daemon.member(), query.namespace, signal),
  "POST /v1/network/isolation": async ({ body, signal }) =>
    setIsolation(daemon.member(), (await body()).isolation, signal),
});

/** What may talk to what, by the last commits, and whether each machine has loaded exactly that. */
async function networkPolicy(
  member: Member,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<NetworkPolicyDocument> {
  const { cluster, machines } = member.membership();
  const heads = member.heads().flatMap(({ commit }) => (commit.removed ? [] : [commit]));
  if (namespace !== undefined) needNamespace(member.heads(), namespace);
  const isolation = cluster.isolation ?? "off";
  return {
    kind: "network-policy",
    isolation,
    edges: edgesOf(heads, isolation).filter(
      ({ from, to }) => namespace === undefined || [from, to].some((one) => isOf(namespace, one)),
    ),
    machines: await Promise.all(
      [...machines]
        .sort((a, b) => a.id.localeCompare(b.id))
        .map(async ({ id }) => {
          try {
            const { policy } = await member.machines.call(
              id,
              "network.policy",
              {},
              { timeoutMs: LOOK_MS, signal },
            );
            const right = policy === (isolation === "on" ? "loaded" : "off");
            return { machine: id, policy, right };
          } catch (error) {
            return { machine: id, policy: "unknown" as const, right: false, error: errorBody(error) };
          }
        }),
    ),
  };
}

const isOf = (namespace: string, peer: string): boolean =>
  peer === "*" || peer === namespace || peer.startsWith(`${namespace}/`);

/** Sorted by the side that opens connections. Pure. */
export function edgesOf(
  commits: readonly Pick<Commit, "namespace" | "services">[],
  isolation: "on" | "off",
): readonly NetworkEdge[] {
  if (isolation === "off")
    return [{ from: "*", to: "*", why: "isolation is off: every workload reaches every other" }];
  const opened = commits.flatMap(({ namespace, services }) =>
    Object.entries(services).flatMap(([service, { spec }]) =>
      (spec.allowFrom ?? []).flatMap((entry) => openedBy(entry, `${namespace}/${service}`, commits)),
    ),
  );
  const common = commits.flatMap(({ namespace }): NetworkEdge[] => [
    { from: namespace, to: namespace, why: "its own namespace" },
    { from: namespace, to: "gateways", why: "the gateway's ports of every machine" },
    { from: namespace, to: "dns", why: "DNS of its own machine; it resolves only names that it reaches" },
    { from: namespace, to: "outside", why: "addresses outside of the cluster" },
  ]);
  return [...common, ...opened].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
}

/** The namespaces, or services of them, that an entry of `allow_from` names; the entry itself when there is none yet. */
function openedBy(
  entry: string,
  to: string,
  commits: readonly Pick<Commit, "namespace" | "services">[],
): readonly NetworkEdge[] {
  const why = `allow_from = ["${entry}"]`;
  const target = to.slice(0, to.indexOf("/"));
  const [, only] = entry.split(":", 2);
  const from = commits
    .filter(({ namespace }) => namespace !== target)
    .flatMap(({ namespace, services }) => {
      if (only === undefined) return allows(entry, namespace, "") ? [namespace] : [];
      return Object.hasOwn(services, only) && allows(entry, namespace, only) ? [`${namespace}/${only}`] : [];
    });
  return from.length > 0
    ? from.map((peer) => ({ from: peer, to, why }))
    : [{ from: entry, to, why: `${why}; nothing runs under that name` }];
}

/** Writes whether namespaces are apart into the cluster's record, and resolves when machines had time to follow. */
async function setIsolation(
  member: Member,
  isolation: "on" | "off",
  signal: AbortSignal,
): Promise<NetworkPolicyDocument> {
  const { facts } = member.store;
  const entry = await facts.get("cluster");
  if (entry === undefined) throw new Error("the cluster has no record");
  if ((entry.value.isolation ?? "off") !== isolation) {
    const { isolation: _, ...rest } = entry.value;
    const written = await facts.put(
      "cluster",
      { ...rest, ...(isolation === "on" && { isolation }) },
      entry.revision,
    );
    if (!written.ok)
      throw new PloyzError({
        code: "conflict",
        message: "another command changed the cluster's record",
        hint: "run the same command again",
      });
  }
  for (let tries = 0; ; tries++) {
    const now = await networkPolicy(member, undefined, signal);
    if (tries >= TRIES || (now.isolation === isolation && now.machines.every(({ right }) => right)))
      return now;
    await pause(AGAIN_MS, signal);
  }
}

const TRIES = 20;
const AGAIN_MS = 500;
