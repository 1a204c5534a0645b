export { initStore, type StoreLayout, streamConfigs } from "./client/init.ts";
export { type NatsStore, openStore } from "./client/store.ts";
export type {
  AcquireResult,
  AppendResult,
  CommitEnvelope,
  Entry,
  FollowEvent,
  Lease,
  LeaseHolder,
  WriteResult,
} from "./client/types.ts";
export { createIdentity, type Identity, publicKeyOf } from "./identity.ts";
export type { Json } from "./json.ts";
export { type Mirror, type MirrorChange, type MirrorOptions, openMirror } from "./mirror/mirror.ts";
export {
  type CallOptions,
  openRpc,
  type Rpc,
  type RpcOptions,
  type StreamOptions,
} from "./rpc/call.ts";
export type { CallMeta, Fence } from "./rpc/protocol.ts";
export { type CallContext, type CallHandler, type Handlers, type StreamHandler, serve } from "./rpc/serve.ts";
export { files, renderConfig, type StoreServerConfig } from "./server/config.ts";
export {
  type EnsureOptions,
  type EnsureResult,
  ensureServer,
  reloadUsers,
  serviceName,
  stopServer,
} from "./server/ensure.ts";
export { monitor, type ServerState } from "./server/monitor.ts";
export { type Permissions, permissionsFor, type Role, type StoreUser } from "./server/permissions.ts";
export { readRecord, type StoreRecord } from "./server/record.ts";
export { findServer, neededVersion } from "./server/version.ts";
export { openSession, type Session, type SessionEvent, type SessionOptions } from "./session.ts";
