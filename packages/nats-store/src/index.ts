export { type Backup, readBackup, writeBackup } from "./backup/file.ts";
export type { BackupManifest, BackupStream } from "./backup/format.ts";
export { foundFromMirror, type MirrorFounding, type Recovered } from "./backup/from-mirror.ts";
export { type RenewOptions, renewBackup } from "./backup/renew.ts";
export { type RestoreOptions, restoreStore } from "./backup/restore.ts";
export { type SnapshotOptions, snapshotStore } from "./backup/snapshot.ts";
export { initStore, type StoreLayout, streamConfigs } from "./client/init.ts";
export { type StreamSize, storeSizes } from "./client/sizes.ts";
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
export type { StoreErrorCode } from "./error-codes.ts";
export { createIdentity, type Identity, isSignedBy, publicKeyOf, signAs } from "./identity.ts";
export { closeSecrets } from "./intake.ts";
export type { Json } from "./json.ts";
export {
  type Mirror,
  type MirrorChange,
  type MirrorOptions,
  openMirror,
  type Skipped,
} from "./mirror/mirror.ts";
export {
  type LocalStore,
  type LocalStoreMachine,
  openStoreMachine,
  type StoreMachine,
  type StoreServer,
  type StoreSet,
} from "./refound/machine.ts";
export { abandon, type Refounded, type Refounding, type RefoundStage, refound } from "./refound/refound.ts";
export { type Survey, surveyStore, type Unfinished } from "./refound/survey.ts";
export {
  type CallOptions,
  openRpc,
  type Rpc,
  type RpcOptions,
  type StreamOptions,
} from "./rpc/call.ts";
export type { CallMeta, Fence } from "./rpc/protocol.ts";
export { type CallContext, type CallHandler, type Handlers, type StreamHandler, serve } from "./rpc/serve.ts";
export { files, type Routes, renderConfig, type StoreServerConfig } from "./server/config.ts";
export {
  type EnsureOptions,
  type EnsureResult,
  ensureServer,
  reloadUsers,
  serviceName,
  serviceOf,
  stopServer,
} from "./server/ensure.ts";
export { dropGeneration } from "./server/generations.ts";
export { monitor, type ServerState } from "./server/monitor.ts";
export {
  type Access,
  type Permissions,
  permissionsFor,
  type Role,
  type StoreUser,
} from "./server/permissions.ts";
export {
  entryOf,
  type GenerationRecord,
  type GenerationState,
  readRecord,
  type StoreRecord,
} from "./server/record.ts";
export { findServer, neededVersion } from "./server/version.ts";
export { openSession, type Session, type SessionEvent, type SessionOptions } from "./session.ts";
export { newSealKey, openVault, type Sealed, type Vault } from "./vault.ts";
