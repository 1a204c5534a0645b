export type { GatewayErrorCode } from "./error-codes.ts";
export {
  type Adopted,
  type Applied,
  type Drained,
  type DrainOptions,
  type Gateway,
  openGateway,
} from "./gateway.ts";
export type { GatewayOptions } from "./settings.ts";
export type { GatewayStatus, ServerStatus } from "./status.ts";
export {
  type Backend,
  type Check,
  chooseRoute,
  type HttpRoute,
  type MergeResult,
  mergeRoutes,
  type Route,
  type RouteRefusal,
  type RouteRefusalCode,
  type RouteTable,
  type Server,
  type TableLimits,
  type TcpRoute,
  validateTable,
} from "./table.ts";
