/**
 * Runs Ployz's operations, and writes new ones: the engine, the primitives with their inputs, and manifests. Ports and records are in
 * `@ployz/primitives/protocol`, ports in memory in `@ployz/primitives/testing`.
 *
 * @module
 */
export { type ErrorBody, PloyzError } from "@ployz/errors";
export { backupPrune } from "./backup-prune/index.ts";
export type { BackupPruneInput } from "./backup-prune/input.ts";
export { backupRepositoryAdd } from "./backup-repository-add/index.ts";
export type { BackupRepositoryAddInput } from "./backup-repository-add/input.ts";
export { backupRepositoryRm } from "./backup-repository-rm/index.ts";
export type { BackupRepositoryRmInput } from "./backup-repository-rm/input.ts";
export { backupRestore } from "./backup-restore/index.ts";
export type { BackupRestoreInput } from "./backup-restore/input.ts";
export { backupRun } from "./backup-run/index.ts";
export type { BackupRunInput } from "./backup-run/input.ts";
export { backupVerify } from "./backup-verify/index.ts";
export type { BackupVerifyInput } from "./backup-verify/input.ts";
export { branch } from "./branch/index.ts";
export type { BranchInput } from "./branch/input.ts";
export { branchManifest } from "./branch/manifest.ts";
export { canaryFinish, canaryUndo } from "./canary/index.ts";
export type { CanaryInput } from "./canary/input.ts";
export { certImport } from "./cert-import/index.ts";
export type { CertImportInput } from "./cert-import/input.ts";
export { certIssue } from "./cert-issue/index.ts";
export type { CertIssueInput } from "./cert-issue/input.ts";
export { certRm } from "./cert-rm/index.ts";
export type { CertRmInput } from "./cert-rm/input.ts";
export type { CertificateKinds } from "./certificates/steps.ts";
export type { ChangeSummary, FieldChange, ServiceSummary, VolumeSummary } from "./change/plan/summary.ts";
export type { ChangeResult } from "./change/primitive.ts";
export type { ChangeKinds } from "./change/steps/kinds.ts";
export { deployPrimitive } from "./deploy/index.ts";
export type { DeployInput } from "./deploy/input.ts";
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
export type { Limits } from "./engine/limits.ts";
export { runOperation } from "./engine/run.ts";
export type * from "./engine/types.ts";
export type { KernelErrorCode } from "./error-codes.ts";
export { evacuate } from "./evacuate/index.ts";
export type { EvacuateInput } from "./evacuate/input.ts";
export { imageDistribute } from "./image-distribute/index.ts";
export type { ImageDistributeInput } from "./image-distribute/input.ts";
export { imagePrune } from "./image-prune/index.ts";
export type { ImagePruneInput } from "./image-prune/input.ts";
export { imageRm } from "./image-rm/index.ts";
export type { ImageRmInput } from "./image-rm/input.ts";
export { jobRun } from "./job-run/index.ts";
export type { JobRunInput } from "./job-run/input.ts";
export { machineActivate } from "./machine-activate/index.ts";
export type { MachineActivateInput } from "./machine-activate/input.ts";
export { machineAdd } from "./machine-add/index.ts";
export type { MachineAddInput } from "./machine-add/input.ts";
export type { MachineAddPorts, SubnetPlan } from "./machine-add/observe.ts";
export { machineDrain } from "./machine-drain/index.ts";
export type { MachineDrainInput } from "./machine-drain/input.ts";
export { machineJoin } from "./machine-join/index.ts";
export type { JoiningMachine, MachineJoinInput } from "./machine-join/input.ts";
export type { MachineJoinPorts } from "./machine-join/observe.ts";
export { machineLabel } from "./machine-label/index.ts";
export type { MachineLabelInput } from "./machine-label/input.ts";
export { machineRm } from "./machine-rm/index.ts";
export type { MachineRmInput } from "./machine-rm/input.ts";
export { machineStandby } from "./machine-standby/index.ts";
export type { MachineStandbyInput } from "./machine-standby/input.ts";
export { machineUpdate } from "./machine-update/index.ts";
export type { MachineUpdateInput } from "./machine-update/input.ts";
export type { MachineUpdatePorts, UpdateSource } from "./machine-update/observe.ts";
export type { NormalManifest } from "./manifest/normalise.ts";
export {
  bundlePaths,
  checkManifest,
  type ManifestResult,
  parseManifest,
  readDocument,
} from "./manifest/parse.ts";
export { renderManifest } from "./manifest/render.ts";
export { type Manifest, ManifestSchema } from "./manifest/schema.ts";
export type { EvacuationSummary } from "./membership/evacuations.ts";
export type { MembershipPorts } from "./membership/observe.ts";
export { migrate } from "./migrate/index.ts";
export type { MigrateInput } from "./migrate/input.ts";
export { namespacePrune } from "./namespace-prune/index.ts";
export type { NamespacePruneInput } from "./namespace-prune/input.ts";
export { namespaceRepair } from "./namespace-repair/index.ts";
export type { NamespaceRepairInput } from "./namespace-repair/input.ts";
export { namespaceRm } from "./namespace-rm/index.ts";
export type { NamespaceRmInput } from "./namespace-rm/input.ts";
export { promote } from "./promote/index.ts";
export type { PromoteInput } from "./promote/input.ts";
export { rollback } from "./rollback/index.ts";
export type { RollbackInput } from "./rollback/input.ts";
export { scheduleAdd } from "./schedule-add/index.ts";
export type { ScheduleAddInput } from "./schedule-add/input.ts";
export { scheduleRm } from "./schedule-rm/index.ts";
export type { ScheduleRmInput } from "./schedule-rm/input.ts";
export { maintenance, restart, scale, start, stop } from "./services/index.ts";
export type { MaintenanceInput, ScaleInput, ServicesInput } from "./services/input.ts";
export { storeBackup } from "./store-backup/index.ts";
export type { StoreBackupInput } from "./store-backup/input.ts";
export { volumeCreate } from "./volume-create/index.ts";
export type { VolumeCreateInput } from "./volume-create/input.ts";
export { volumeFork } from "./volume-fork/index.ts";
export type { VolumeForkInput } from "./volume-fork/input.ts";
export { volumeImport } from "./volume-import/index.ts";
export type { VolumeImportInput } from "./volume-import/input.ts";
export { volumeKeep } from "./volume-keep/index.ts";
export type { VolumeKeepInput } from "./volume-keep/input.ts";
export { volumePrune } from "./volume-prune/index.ts";
export type { VolumePruneInput } from "./volume-prune/input.ts";
export { volumeRestore } from "./volume-restore/index.ts";
export type { VolumeRestoreInput } from "./volume-restore/input.ts";
export { volumeRm } from "./volume-rm/index.ts";
export type { VolumeRmInput } from "./volume-rm/input.ts";
export { volumeRun } from "./volume-run/index.ts";
export type { VolumeRunInput } from "./volume-run/input.ts";
export { volumeSnapshot } from "./volume-snapshot/index.ts";
export type { VolumeSnapshotInput } from "./volume-snapshot/input.ts";
export { volumeStandbyAdd } from "./volume-standby-add/index.ts";
export type { VolumeStandbyAddInput } from "./volume-standby-add/input.ts";
export { volumeStandbyRm } from "./volume-standby-rm/index.ts";
export type { VolumeStandbyRmInput } from "./volume-standby-rm/input.ts";
export { volumeStandbySync } from "./volume-standby-sync/index.ts";
export type { VolumeStandbySyncInput } from "./volume-standby-sync/input.ts";
