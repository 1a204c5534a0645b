const UNITS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `1m30s` in milliseconds. */
export function durationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h|d))+$/.test(text)) return undefined;
  return [...text.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h|d)/g)].reduce(
    (sum, [, count, unit = ""]) => sum + Number(count) * (UNITS[unit] ?? 0),
    0,
  );
}

/** Milliseconds as a manifest's duration. */
export const durationText = (ms: number): string =>
  ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.round(ms)}ms`;

const SIZES: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** `512m`, `1gb` or a number of bytes as a manifest's size. Rounded up to a whole K. */
export function sizeText(value: unknown): string | undefined {
  const [, count, unit = "b"] = /^(\d+(?:\.\d+)?)\s*([bkmgt])?(?:i?b)?$/i.exec(String(value)) ?? [];
  if (count === undefined) return undefined;
  const kib = Math.ceil((Number(count) * (SIZES[unit.toLowerCase()] ?? 1)) / 1024);
  return kib % 1024 === 0 ? `${kib / 1024}M` : `${kib}K`;
}
