const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const BYTES = { K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

/** Milliseconds of a duration that matches `patterns.DURATION`; `undefined` for anything else. */
export function durationMs(text: string): number | undefined {
  const match = /^([0-9]+)(ms|s|m|h)$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * MS[match[2] as keyof typeof MS];
}

/** Bytes of a size that matches `patterns.SIZE`, in powers of 1024. */
export function sizeBytes(text: string): number | undefined {
  const match = /^([0-9]+)([KMGT])$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * BYTES[match[2] as keyof typeof BYTES];
}

/** The shortest way to write a number of milliseconds. */
export function formatDuration(ms: number): string {
  for (const unit of ["h", "m", "s"] as const) {
    if (ms > 0 && ms % MS[unit] === 0) return `${ms / MS[unit]}${unit}`;
  }
  return `${ms}ms`;
}

/** The shortest way to write a number of bytes; rounded up to whole KiB. */
export function formatSize(bytes: number): string {
  for (const unit of ["T", "G", "M"] as const) {
    if (bytes > 0 && bytes % BYTES[unit] === 0) return `${bytes / BYTES[unit]}${unit}`;
  }
  return `${Math.ceil(bytes / 1024)}K`;
}
