export { type DetachedOptions, spawnDetached } from "./detached.ts";
export { drained } from "./drained.ts";
export type { ExecErrorCode } from "./error-codes.ts";
export { ExecError, type ExecFailure } from "./errors.ts";
export { createFileOnce, readFileIfThere, replaceLink, syncFolder, writeFileAtomic } from "./files.ts";
export { findProgram } from "./find.ts";
export { identify, isAlive, type ProcessIdentity, signalProcess } from "./identity.ts";
export { type Backoff, createBackoff, pause } from "./pause.ts";
export { redact } from "./redact.ts";
export { keepReserve } from "./reserve.ts";
export {
  type RunningProgram,
  type RunOptions,
  type RunResult,
  run,
  type StreamOptions,
  spawnStream,
} from "./run.ts";
export { type Notifier, takeNotifier } from "./services/notify.ts";
export { openServiceHost, type ServiceHostOptions } from "./services/open.ts";
export { stopS6 } from "./services/s6.ts";
export { shellWord } from "./services/s6-run.ts";
export type {
  Confinement,
  Notifies,
  ServiceHost,
  ServiceSignal,
  ServiceSpec,
  ServiceStatus,
} from "./services/types.ts";
export { type RunningTerminal, spawnOnTerminal, type TerminalSize } from "./terminal.ts";
export { untilRead } from "./until-read.ts";
export { type WaitOptions, waitFor } from "./wait-for.ts";
