/**
 * What daemons agree on: the ports, the commands between machines, the records in the store, and how names and values are written.
 *
 * @module
 */

export type { RunState } from "./client/runs.ts";
export { parseTarget } from "./machine-add/input.ts";
export { durationMs, sizeBytes } from "./manifest/units.ts";
export {
  type AlertCondition,
  type AlertFormat,
  type AlertRecord,
  type AlertState,
  alertKey,
} from "./model/alert.ts";
export {
  type Backup,
  BackupContent,
  type BackupRepository,
  backupRunKey,
  backupVerifyKey,
  isBackupOf,
  isOwnBackup,
  type RepositoryAt,
} from "./model/backup.ts";
export { type BasicUser, basicUsers } from "./model/basic-users.ts";
export { canaryOf } from "./model/canary.ts";
export type { CandidateInstance, Candidates } from "./model/candidates.ts";
export {
  type AcmeRecord,
  CERTIFICATES,
  type CertificateMeta,
  type CertificateRecord,
  type Challenge,
  certificateFor,
  certificateKey,
  type RenewalRecord,
  type RenewalWindow,
  renewalKey,
  renewalWindowKey,
} from "./model/certificate.ts";
export { CLUSTER_BACKUPS, CLUSTER_SCHEDULES, STORE_BACKUP, scheduleTitle } from "./model/cluster-names.ts";
export type * from "./model/commit.ts";
export { emptyCommit } from "./model/commit.ts";
export { type FactKey, type FactName, type FactOf, type FactTypes, factName, isFact } from "./model/facts.ts";
export { FEATURES } from "./model/features.ts";
export { label } from "./model/fields.ts";
export type { GatewayView } from "./model/gateway.ts";
export {
  DEFAULT_HOST_PORTS,
  forbiddenHostPort,
  hostPortText,
  samePort,
} from "./model/host-ports.ts";
export { isOperationId, operationTail, ulid } from "./model/ids.ts";
export { INVITE_GRACE_MS, INVITE_ID, type Invite, memberBy } from "./model/invite.ts";
export type { EntryBody, JournalEntry } from "./model/journal.ts";
export type { Json } from "./model/json.ts";
export { KEPT_PORTS, type KeptPorts } from "./model/kept-ports.ts";
export { bytesOf, CAPABILITIES, datasetLength, LIMITS } from "./model/limits.ts";
export { type ClusterRecord, isMember, type MachineRecord, type RemovedMachine } from "./model/machine.ts";
export { checkLabel, isEnvName, isLabel, isSnapshotName, shown } from "./model/names.ts";
export type * from "./model/observation.ts";
export type * from "./model/operation.ts";
export {
  ALLOWED,
  CIDR,
  CLUSTER_ID,
  DATASET,
  DEVICE,
  DIGEST,
  ENDPOINT,
  HOST_PATHS,
  HOST_PORTS,
  IP_PREFIX,
  LISTEN,
  NAMESPACES,
  PLACE,
  REGISTRY,
  SERVER,
} from "./model/patterns.ts";
export { type Allowed, forbidden, RIGHTS, type Right } from "./model/rights.ts";
export type { ClusterSchedule, MissedTick, Schedule, ScheduleRecord, ScheduleRun } from "./model/schedule.ts";
export { clusterScheduleKey, scheduleKey } from "./model/schedule.ts";
export { isOfNamespace, type SecretRecord, secretKey } from "./model/secret.ts";
export { standbyKey, standbyOf } from "./model/standby.ts";
export {
  coversNamespace,
  PERMISSIONS,
  type Permission,
  type TokenPort,
  type TokenRecord,
  tokenKey,
} from "./model/token.ts";
export { decodeFields, encodeFields } from "./model/token-fields.ts";
export { encodeToken, TOKEN_PROTOCOL, type TokenText } from "./model/token-text.ts";
export type { BackupTake } from "./participant/backup-commands.ts";
export type { CertificateOrder } from "./participant/certificate-commands.ts";
export type * from "./participant/commands.ts";
export type { ImageCommands, ImageDetails, StoredContent } from "./participant/image-commands.ts";
export type { LoadedPolicy } from "./participant/network-commands.ts";
export type { InstalledBuilds } from "./participant/update-commands.ts";
export type * from "./ports/joiner.ts";
export * from "./ports/machines.ts";
export type * from "./ports/operations.ts";
export type * from "./ports/releases.ts";
export type * from "./ports/remote.ts";
export type * from "./ports/store.ts";
export { InstanceAsk, RUN_ID, StreamAsk, type StreamOpened, TerminalSize } from "./streams/ask.ts";
export { type Channel, openChannel } from "./streams/channel.ts";
export { FRAME } from "./streams/frames.ts";
export { STREAM_PATH, STREAM_PROTOCOL } from "./streams/open.ts";
