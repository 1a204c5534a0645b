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
export { openSession, type Session, type SessionEvent, type SessionOptions } from "./session.ts";
