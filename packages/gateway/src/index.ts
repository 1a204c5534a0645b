export { type CollectOptions, type Collector, collectAccess } from "./access/collect.ts";
export { type AccessQuery, readAccess } from "./access/read.ts";
export type { AccessRecord, Upstreams } from "./access/record.ts";
export type { Certificate } from "./certificates.ts";
export type { Check, HttpCheck } from "./check.ts";
export { chooseRoute } from "./choose-route.ts";
export type { Adopted, Applied, Drained, DrainOptions, Gateway } from "./contract.ts";
export type { GatewayErrorCode } from "./error-codes.ts";
export { openGateway } from "./gateway.ts";
export type { BasicUser, RouteLimits, RouteOptions } from "./options.ts";
export type { GatewayOptions } from "./settings.ts";
export type { GatewayStatus, RouteStatus, ServerStatus } from "./status.ts";
export {
  type Backend,
  type HttpRoute,
  type MergeResult,
  mergeRoutes,
  type RedirectRoute,
  type Route,
  type RouteRefusal,
  type RouteRefusalCode,
  type RouteTable,
  type Server,
  servableTable,
  type TableLimits,
  type TcpRoute,
  validateTable,
} from "./table.ts";
