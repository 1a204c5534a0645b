import { X509Certificate } from "node:crypto";
import type { GatewayStatus } from "@ployz/gateway";
import type { GatewayView } from "@ployz/primitives/protocol";
import type { KeptCertificate } from "../state/certificates.ts";
import { certificatesOf } from "./certificates.ts";

/** The state of HAProxy and of UDP routes in the cluster's words. Pure. */
export function viewOf(
  status: GatewayStatus,
  more: {
    readonly certificates: readonly KeptCertificate[];
    readonly dropped: readonly string[];
    readonly udp: Pick<GatewayView, "routes" | "servers" | "dropped">;
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
      ...more.udp.routes,
    ],
    servers: [
      ...servers.map(({ backend, id, address, port, state: is, sessions }) => ({
        ...{ backend, instance: id, address, port, state: is, sessions },
      })),
      ...more.udp.servers,
    ],
    holds,
    certificates: certificatesOf(more.certificates).map(({ names, pem }) => ({
      names,
      notAfter: new Date(new X509Certificate(pem).validTo).toISOString(),
    })),
    dropped: [...more.dropped, ...more.udp.dropped],
    oldWorkers: oldWorkers.length,
    accessLog: more.accessLog,
    ...(difference !== undefined && { difference }),
  };
}
