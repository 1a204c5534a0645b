/**
 * Parts of the daemon, for tools that run many of them in one process: what a machine does with the store's state, without its kernel.
 *
 * @module
 */
export { lookAtCluster, type StatusSource } from "./api/status.ts";
export { machineList } from "./api/views.ts";
export { operationIds, systemClock } from "./clock.ts";
export { type Config, loadConfig } from "./config/load.ts";
export { zoneOf } from "./follower/dns.ts";
export { isolate, residentsOf } from "./follower/policy.ts";
export { buildTable, type Head } from "./follower/project.ts";
export { type Followed, runFollower, type Served } from "./follower/run.ts";
export { followMembership } from "./mesh/follow.ts";
export { publishHandler } from "./mesh/handlers.ts";
export { type Membership, writeMembership } from "./mesh/membership.ts";
export { notableOperations } from "./operations/list.ts";
export { watchUnfinished } from "./operations/unfinished.ts";
export { openMachines } from "./participant/machines.ts";
export { pathsOf } from "./state/paths.ts";
export { mirrorRecords, openRecords, type Records } from "./state/records.ts";
