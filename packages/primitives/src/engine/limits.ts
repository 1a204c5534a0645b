/** Bounds of one run, in milliseconds unless said otherwise. */
export interface Limits {
  /** Steps at once, and at once on one machine. */
  readonly parallel: number;
  readonly parallelPerMachine: number;
  readonly leaseTtlMs: number;
  /** How long a write is retried while the store does not answer (an election takes 4 to 7 s). */
  readonly storeRideMs: number;
  /** Deadline of one undo with its retries. */
  readonly undoMs: number;
  /** Deadline of one step that an earlier operation owes, when a later one retries it. */
  readonly owedRetryMs: number;
  /** How long a step or an undo retries a machine that does not answer: its daemon may be restarting. */
  readonly unreachableMs: number;
  /** How long an aborted step may take to stop. */
  readonly abortGraceMs: number;
  /** Deadline of the call that checks whether a lease's holder still runs. */
  readonly askHolderMs: number;
  /** How often an operation plans again after a lost commit race. */
  readonly replans: number;
}

export const DEFAULT_LIMITS: Limits = {
  parallel: 16,
  parallelPerMachine: 4,
  leaseTtlMs: 15_000,
  storeRideMs: 20_000,
  undoMs: 30_000,
  owedRetryMs: 5_000,
  unreachableMs: 10_000,
  abortGraceMs: 5_000,
  askHolderMs: 3_000,
  replans: 3,
};
