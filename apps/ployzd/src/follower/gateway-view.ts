import { X509Certificate } from "node:crypto";
import type { GatewayStatus } from "@ployz/gateway";
import type { GatewayView } from "@ployz/primitives/protocol";
import type { KeptCertificate } from "../state/certificates.ts";
import { certificatesOf } from "./certificates.ts";

/** The state of HAProxy, of UDP routes and of host ports in the cluster's words. Pure. */
export function viewOf(
  status: GatewayStatus,
  more: {
    readonly certificates: readonly KeptCertificate[];
    readonly dropped: readonly string[];
    /** What the packet filter serves. */
    readonly filter: readonly Pick<GatewayView, "routes" | "servers" | "dropped">[];
    readonly accessLog: NonNullable<GatewayView["accessLog"]>;
  },
): GatewayView {
  const { state, version = "", routes, servers, holds, oldWorkers, difference } = status;
  return {
    state,
    commits: version.split(" ").filter((one) => one !== ""),
    routes: [
      ...routes.map(({ place, kind, to, httpsOnly, options }) => ({
        ...{ place, kind, to, httpsOnly, options },
      })),
      ...more.filter.flatMap((one) => one.routes),
    ],
    servers: [
      ...servers.map(({ backend, id, address, port, state: is, sessions }) => ({
        ...{ backend, instance: id, address, port, state: is, sessions },
      })),
      ...more.filter.flatMap((one) => one.servers),
    ],
    holds,
    certificates: certificatesOf(more.certificates).map(({ names, pem }) => ({
      names,
      notAfter: new Date(new X509Certificate(pem).validTo).toISOString(),
    })),
    dropped: [...more.dropped, ...more.filter.flatMap((one) => one.dropped)],
    oldWorkers: oldWorkers.length,
    accessLog: more.accessLog,
    ...(difference !== undefined && { difference }),
  };
}
