/**
 * Schemas of the documents and events of the local API. Their types are in `@ployz/primitives/client`, which loads no schema.
 *
 * @module
 */

export * from "./client/access.ts";
export * from "./client/alerts.ts";
export * from "./client/backups.ts";
export * from "./client/certificates.ts";
export * from "./client/daemon.ts";
export * from "./client/events.ts";
export * from "./client/gateways.ts";
export * from "./client/images.ts";
export * from "./client/invites.ts";
export * from "./client/logs.ts";
export * from "./client/mesh.ts";
export * from "./client/registries.ts";
export * from "./client/runs.ts";
export * from "./client/schedules.ts";
export * from "./client/secrets.ts";
export * from "./client/standbys.ts";
export * from "./client/status.ts";
export * from "./client/store.ts";
export * from "./client/tokens.ts";
export * from "./client/views.ts";
export { Commit, CommittedRoute } from "./model/commit.ts";
export { MachineRecord } from "./model/machine.ts";
export { MachineObservation } from "./model/observation.ts";
export * from "./model/operation.ts";
export { count, error, list, object, text } from "./model/schema.ts";
