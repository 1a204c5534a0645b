/** What a manifest leaves out. */
export const DEFAULTS = {
  replicas: 1,
  drainMs: 10_000,
  stopGraceMs: 10_000,
  readyTimeoutMs: 30_000,
  settleMs: 1000,
  livenessEveryMs: 10_000,
  livenessTimeoutMs: 5000,
  livenessFailures: 3,
  jobTimeoutMs: 600_000,
  timezone: "UTC",
  overlap: "skip",
  deadlineMs: 60_000,
  missed: "report",
  redirectStatus: 308,
  standbyMs: 60_000,
  hookMs: 60_000,
} as const;
