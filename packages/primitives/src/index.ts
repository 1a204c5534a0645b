export { type ErrorBody, errorBody, PloyzError } from "@ployz/errors";
export { branch } from "./branch/index.ts";
export { type BranchInput, parseBranch } from "./branch/input.ts";
export { branchManifest } from "./branch/manifest.ts";
export { plainEnv, sameSecrets, secretUsers } from "./change/decide/secrets.ts";
export type { ChangeSummary, FieldChange, ServiceSummary, VolumeSummary } from "./change/plan/summary.ts";
export type { ChangeResult } from "./change/primitive.ts";
export type { ChangeKinds } from "./change/steps/kinds.ts";
export type * from "./client/api.ts";
export { BODIES, JoinDocument as JoinDocumentSchema, OperationBody } from "./client/bodies.ts";
export type { ParamsOf } from "./client/client.ts";
export type * from "./client/store.ts";
export type { VolumeFile, VolumeImportRequest } from "./client/volume-file.ts";
export { deployPrimitive } from "./deploy/index.ts";
export { type DeployInput, parseDeploy } from "./deploy/input.ts";
export type { Clock } from "./engine/clock.ts";
export {
  type AnyPrimitive,
  type EngineDeps,
  type Outcome,
  type PrimitiveRegistry,
  type Refused,
  type RegisteredPrimitive,
  type RunRequest,
  register,
} from "./engine/deps.ts";
export { endUnreadable } from "./engine/end-unreadable.ts";
export { detailOf, fold, isFinal, type OperationRecord, summaryOf } from "./engine/fold.ts";
export { readJournal } from "./engine/journal.ts";
export { DEFAULT_LIMITS, type Limits } from "./engine/limits.ts";
export { nestedOperations } from "./engine/nested.ts";
export { findPrepared } from "./engine/prepared.ts";

export { markInterrupted, presentSummary, resolveInterrupted } from "./engine/resolve.ts";
export { runOperation } from "./engine/run.ts";
export type * from "./engine/types.ts";
export type { KernelErrorCode } from "./error-codes.ts";
export { evacuate } from "./evacuate/index.ts";
export type { EvacuateInput } from "./evacuate/input.ts";
export { machineActivate } from "./machine-activate/index.ts";
export type { MachineActivateInput } from "./machine-activate/input.ts";
export { machineAdd } from "./machine-add/index.ts";
export { type MachineAddInput, parseTarget } from "./machine-add/input.ts";
export type { MachineAddPorts, SubnetPlan } from "./machine-add/observe.ts";
export { machineDrain } from "./machine-drain/index.ts";
export type { MachineDrainInput } from "./machine-drain/input.ts";
export { machineJoin } from "./machine-join/index.ts";
export type { JoiningMachine, MachineJoinInput } from "./machine-join/input.ts";
export type { MachineJoinPorts } from "./machine-join/observe.ts";
export { machineRm } from "./machine-rm/index.ts";
export type { MachineRmInput } from "./machine-rm/input.ts";
export { machineStandby } from "./machine-standby/index.ts";
export type { MachineStandbyInput } from "./machine-standby/input.ts";
export { machineUpdate } from "./machine-update/index.ts";
export type { MachineUpdateInput } from "./machine-update/input.ts";
export type { MachineUpdatePorts, UpdateSource } from "./machine-update/observe.ts";
export { type NormalManifest, normalise } from "./manifest/normalise.ts";
export {
  bundlePaths,
  checkManifest,
  MAX_MANIFEST_BYTES,
  type ManifestResult,
  parseManifest,
} from "./manifest/parse.ts";
export { renderManifest } from "./manifest/render.ts";
export { instanceRevision, specRevision } from "./manifest/revision.ts";
export { type Manifest, ManifestSchema } from "./manifest/schema.ts";
export { durationMs, sizeBytes } from "./manifest/units.ts";
export type { EvacuationSummary } from "./membership/evacuations.ts";
export type { MembershipPorts } from "./membership/observe.ts";
export { migrate } from "./migrate/index.ts";
export type { MigrateInput } from "./migrate/input.ts";
export { type CandidateInstance, type Candidates, candidatesKey } from "./model/candidates.ts";
export type * from "./model/commit.ts";
export { emptyCommit } from "./model/commit.ts";
export { type FactKey, type FactName, type FactOf, type FactTypes, factName, isFact } from "./model/facts.ts";
export { label } from "./model/fields.ts";
export { instanceId, isOperationId, OPERATION_ID, operationTail, ulid } from "./model/ids.ts";
export { INVITE_GRACE_MS, INVITE_ID, type Invite, memberBy, refuseInvite } from "./model/invite.ts";
export type { EntryBody, JournalEntry } from "./model/journal.ts";
export type { Json } from "./model/json.ts";
export { KEPT_PORTS, type KeptPorts } from "./model/kept-ports.ts";
export { type ClusterRecord, isMember, type MachineRecord, type RemovedMachine } from "./model/machine.ts";
export { checkLabel, isEnvName, isLabel, shown } from "./model/names.ts";
export type * from "./model/operation.ts";
export { own } from "./model/own.ts";
export { MAX_SECRET_BYTES, type SecretRecord, secretKey } from "./model/secret.ts";
export { type Shape, shapeChecker, shaped } from "./model/shape.ts";
export { namespaceRepair } from "./namespace-repair/index.ts";
export type { NamespaceRepairInput } from "./namespace-repair/input.ts";
export { namespaceRm } from "./namespace-rm/index.ts";
export type { NamespaceRmInput } from "./namespace-rm/input.ts";
export type * from "./participant/commands.ts";
export type { InstalledBuilds } from "./participant/update-commands.ts";
export type * from "./ports/joiner.ts";
export * from "./ports/machines.ts";
export type * from "./ports/operations.ts";
export type * from "./ports/remote.ts";
export type * from "./ports/store.ts";
export { promote } from "./promote/index.ts";
export type { PromoteInput } from "./promote/input.ts";
export { commitFault, type Fault, factFault } from "./records/check.ts";
export { checkedStore, repairOf, type Unreadable, unlessUnreadable, unreadable } from "./records/store.ts";
export { rollback } from "./rollback/index.ts";
export type { RollbackInput } from "./rollback/input.ts";
export { isNamed } from "./rollback/target.ts";
export { volumeCreate } from "./volume-create/index.ts";
export type { VolumeCreateInput } from "./volume-create/input.ts";
export { volumeFork } from "./volume-fork/index.ts";
export type { VolumeForkInput } from "./volume-fork/input.ts";
export { volumeImport } from "./volume-import/index.ts";
export type { VolumeImportInput } from "./volume-import/input.ts";
export { volumePrune } from "./volume-prune/index.ts";
export type { VolumePruneInput } from "./volume-prune/input.ts";
export { volumeRestore } from "./volume-restore/index.ts";
export type { VolumeRestoreInput } from "./volume-restore/input.ts";
export { volumeRm } from "./volume-rm/index.ts";
export type { VolumeRmInput } from "./volume-rm/input.ts";
export { volumeSnapshot } from "./volume-snapshot/index.ts";
export type { VolumeSnapshotInput } from "./volume-snapshot/input.ts";
