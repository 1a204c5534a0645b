import type { BackupRepositoryAddInput } from "./backup-repository-add/input.ts";
import type { BackupRepositoryRmInput } from "./backup-repository-rm/input.ts";
import type { BackupRestoreInput } from "./backup-restore/input.ts";
import type { BackupRunInput } from "./backup-run/input.ts";
import type { BranchInput } from "./branch/input.ts";
import type { CertImportInput } from "./cert-import/input.ts";
import type { CertIssueInput } from "./cert-issue/input.ts";
import type { CertRmInput } from "./cert-rm/input.ts";
import type { DeployRequest } from "./deploy/input.ts";
import type { EvacuateInput } from "./evacuate/input.ts";
import type { ImageDistributeInput } from "./image-distribute/input.ts";
import type { ImagePruneInput } from "./image-prune/input.ts";
import type { ImageRmInput } from "./image-rm/input.ts";
import type { JobRunInput } from "./job-run/input.ts";
import type { MachineActivateInput } from "./machine-activate/input.ts";
import type { MachineAddRequest } from "./machine-add/input.ts";
import type { MachineDrainInput } from "./machine-drain/input.ts";
import type { MachineJoinInput } from "./machine-join/input.ts";
import type { MachineLabelInput } from "./machine-label/input.ts";
import type { MachineRmInput } from "./machine-rm/input.ts";
import type { MachineStandbyInput } from "./machine-standby/input.ts";
import type { MachineUpdateInput } from "./machine-update/input.ts";
import type { MigrateInput } from "./migrate/input.ts";
import type { NamespacePruneInput } from "./namespace-prune/input.ts";
import type { NamespaceRepairInput } from "./namespace-repair/input.ts";
import type { NamespaceRmInput } from "./namespace-rm/input.ts";
import type { PromoteInput } from "./promote/input.ts";
import type { RollbackInput } from "./rollback/input.ts";
import type { MaintenanceInput, ScaleInput, ServicesInput } from "./services/input.ts";
import type { VolumeCreateInput } from "./volume-create/input.ts";
import type { VolumeForkInput } from "./volume-fork/input.ts";
import type { VolumeImportInput } from "./volume-import/input.ts";
import type { VolumeKeepInput } from "./volume-keep/input.ts";
import type { VolumePruneInput } from "./volume-prune/input.ts";
import type { VolumeRestoreInput } from "./volume-restore/input.ts";
import type { VolumeRmInput } from "./volume-rm/input.ts";
import type { VolumeSnapshotInput } from "./volume-snapshot/input.ts";
import type { VolumeStandbyAddInput } from "./volume-standby-add/input.ts";
import type { VolumeStandbyRmInput } from "./volume-standby-rm/input.ts";
import type { VolumeStandbySyncInput } from "./volume-standby-sync/input.ts";

/** The input of each primitive, by its name: as a client sends it. */
export interface PrimitiveInputs {
  "backup-repository-add": BackupRepositoryAddInput;
  "backup-repository-rm": BackupRepositoryRmInput;
  "backup-restore": BackupRestoreInput;
  "backup-run": BackupRunInput;
  branch: BranchInput;
  "cert-import": CertImportInput;
  "cert-issue": CertIssueInput;
  "cert-rm": CertRmInput;
  deploy: DeployRequest;
  evacuate: EvacuateInput;
  "image-distribute": ImageDistributeInput;
  "image-prune": ImagePruneInput;
  "image-rm": ImageRmInput;
  "job-run": JobRunInput;
  "machine-activate": MachineActivateInput;
  "machine-add": MachineAddRequest;
  "machine-drain": MachineDrainInput;
  "machine-label": MachineLabelInput;
  "machine-join": MachineJoinInput;
  "machine-rm": MachineRmInput;
  "machine-standby": MachineStandbyInput;
  "machine-update": MachineUpdateInput;
  maintenance: MaintenanceInput;
  migrate: MigrateInput;
  "namespace-prune": NamespacePruneInput;
  "namespace-repair": NamespaceRepairInput;
  "namespace-rm": NamespaceRmInput;
  promote: PromoteInput;
  restart: ServicesInput;
  rollback: RollbackInput;
  scale: ScaleInput;
  start: ServicesInput;
  stop: ServicesInput;
  "volume-create": VolumeCreateInput;
  "volume-fork": VolumeForkInput;
  "volume-import": VolumeImportInput;
  "volume-keep": VolumeKeepInput;
  "volume-prune": VolumePruneInput;
  "volume-restore": VolumeRestoreInput;
  "volume-rm": VolumeRmInput;
  "volume-snapshot": VolumeSnapshotInput;
  "volume-standby-add": VolumeStandbyAddInput;
  "volume-standby-rm": VolumeStandbyRmInput;
  "volume-standby-sync": VolumeStandbySyncInput;
}

/** Names of the primitives. */
export type PrimitiveName = keyof PrimitiveInputs;

/** A primitive's name and its input: a typed pair. */
export type Asked = {
  [N in PrimitiveName]: { readonly primitive: N; readonly input: PrimitiveInputs[N] };
}[PrimitiveName];
