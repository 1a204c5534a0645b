export { answerQuestion, type Reply } from "./answer.ts";
export type { DnsErrorCode } from "./error-codes.ts";
export { type DnsOptions, type DnsServer, type DnsStats, openDns, type Views } from "./server.ts";
export type { Upstream } from "./upstream-health.ts";
export { parseResolvConf } from "./upstreams.ts";
export {
  type InstanceRecord,
  projectZone,
  type ServiceRecord,
  type Zone,
  type ZoneOptions,
  type ZoneRecords,
} from "./zone.ts";
