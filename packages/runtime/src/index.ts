export { type DockerRuntimeOptions, openDockerRuntime } from "./docker/open.ts";
export type { RuntimeErrorCode } from "./error-codes.ts";
export { killBelow } from "./kill.ts";
export { type Closed, closedFilters } from "./network/firewall.ts";
export {
  applyHostPorts,
  type HostPortNetwork,
  type PublishedPort,
  printedHostPorts,
} from "./network/host-ports.ts";
export {
  applyNetworkPolicy,
  hasNetworkPolicy,
  isNetworkPolicyLoaded,
  type NetworkPolicy,
  removeNetworkPolicy,
} from "./network/policy.ts";
export {
  applyUdpRoutes,
  printedUdpRoutes,
  sendBack,
  type UdpNetwork,
  type UdpRoute,
  type UdpRoutes,
  type UdpServer,
} from "./network/udp.ts";
export { pauseProgram } from "./pause-program.ts";
export type { ImageFiles, ImageProgram } from "./process/images.ts";
export { openProcessRuntime, type ProcessRuntimeOptions } from "./process/open.ts";
export { resolveUser, type User } from "./process/users.ts";
export type {
  Attached,
  AttachOptions,
  ContainerSettings,
  ExecOptions,
  ExecResult,
  Image,
  Images,
  InstanceSpec,
  InstanceStatus,
  LogLine,
  LogOptions,
  Mount,
  NetworkSpec,
  PullProgress,
  Runtime,
  RuntimeFacts,
  StopOptions,
} from "./runtime.ts";
export { checkId, checkSpec, instanceIdentity } from "./spec.ts";
