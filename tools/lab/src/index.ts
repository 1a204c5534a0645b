export type { LabInfo, MachineInfo } from "./describe.ts";
export { attachLab, type Lab, openLab } from "./lab.ts";
export type { LoadRequest } from "./load.ts";
export type { LoadReport } from "./load-report.ts";
export { type LabKind, listLabs } from "./spec.ts";
export { down, type UpOptions } from "./up.ts";
