import Type, { type Static } from "typebox";
import { count, list, object, port, text } from "./schema.ts";

/** What the gateway of one machine serves now, as HAProxy and the packet filter have it. */
export const GatewayView = object({
  /** `absent`: no route was ever served. */
  state: Type.Enum(["running", "stopped", "absent"]),
  /** The last commit of each namespace that it serves: `prod@12`. */
  commits: list(text()),
  routes: list(
    object({
      /** Host and path, or port. `host`: a port of this machine alone, such as `9000/tcp`. */
      place: text(),
      kind: Type.Enum(["http", "redirect", "tcp", "udp", "host"]),
      /** NAMESPACE/SERVICE/PORT, or the target of a redirect. */
      to: text(),
      /** Plain HTTP is redirected. */
      httpsOnly: Type.Boolean(),
      options: list(text()),
    }),
  ),
  servers: list(
    object({
      /** NAMESPACE/SERVICE/PORT. */
      backend: text(),
      instance: text(),
      address: text(),
      port: port(),
      state: Type.Enum(["up", "down", "drained"]),
      /** Absent for UDP. */
      sessions: Type.Optional(count()),
    }),
  ),
  /** Backends whose requests wait for an instance, and how many do. */
  holds: list(object({ backend: text(), waiting: count() })),
  certificates: list(
    object({
      names: list(text()),
      /** RFC 3339. */
      notAfter: text(),
    }),
  ),
  /** Committed routes that it does not serve, with the reason. */
  dropped: list(text()),
  /** Workers that a reload replaced and that finish their connections. */
  oldWorkers: count(),
  /** Lines of the access log that were lost since the follower's start, and why it takes none. */
  accessLog: Type.Optional(object({ lost: count(), error: Type.Optional(text()) })),
  /** How HAProxy differs from the state on disk. */
  difference: Type.Optional(text()),
});
export type GatewayView = Static<typeof GatewayView>;
