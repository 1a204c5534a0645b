/**
 * Parts of the daemon, for tools that run many of them in one process: what a machine does with the store's state, without its kernel.
 *
 * @module
 */
export { zoneOf } from "./follower/dns.ts";
export { isolate, residentsOf } from "./follower/policy.ts";
export { buildTable, type Head } from "./follower/project.ts";
