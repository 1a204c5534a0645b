export { type DetachedOptions, spawnDetached } from "./detached.ts";
export {
  type Details,
  type ErrorFields,
  ExecError,
  type ExecErrorCode,
  type ExecFailure,
  PloyzError,
} from "./errors.ts";
export { findProgram } from "./find.ts";
export { identify, isAlive, type ProcessIdentity, signalProcess } from "./identity.ts";
export { redact } from "./redact.ts";
export { type RunningProgram, type RunOptions, type RunResult, run, spawnStream } from "./run.ts";
export { openServiceHost, type ServiceHostOptions } from "./services/open.ts";
export { stopS6 } from "./services/s6.ts";
export { shellWord } from "./services/s6-run.ts";
export type { ServiceHost, ServiceSignal, ServiceSpec, ServiceStatus } from "./services/types.ts";
export { type WaitOptions, waitFor } from "./wait-for.ts";
