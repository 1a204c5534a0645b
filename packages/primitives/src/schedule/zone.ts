const DAY = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timezone: string): Intl.DateTimeFormat {
  const known = formats.get(timezone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    ...{ timeZone: timezone, hourCycle: "h23" },
    ...{ year: "numeric", month: "numeric", day: "numeric" },
    ...{ hour: "numeric", minute: "numeric", second: "numeric" },
  });
  formats.set(timezone, format);
  return format;
}

/** Whether it is a time zone of the IANA database that this machine knows. */
export function isTimezone(timezone: string): boolean {
  try {
    return formatOf(timezone) !== undefined;
  } catch {
    return false;
  }
}

/** What a clock on the wall shows at an instant, as the instant at which a clock in UTC shows the same. */
export function wallOf(instant: number, timezone: string): number {
  const parts = new Map(
    formatOf(timezone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)] as const),
  );
  const of = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
  const date = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
  return date + (((instant % 1000) + 1000) % 1000);
}

/**
 * When a clock on the wall shows a time. Of a time that occurs twice, the first; for one that does not exist, because clocks are set
 * forward over it, the first instant after.
 */
export function instantOf(wall: number, timezone: string): number {
  const offsetAt = (instant: number) => wallOf(instant, timezone) - instant;
  const before = offsetAt(wall - DAY);
  const after = offsetAt(wall + DAY);
  const found = [wall - before, wall - after]
    .filter((instant) => wallOf(instant, timezone) === wall)
    .sort((left, right) => left - right)[0];
  if (found !== undefined) return found;
  let [low, high] = [wall - Math.max(before, after), wall - Math.min(before, after)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (wallOf(middle, timezone) < wall) low = middle;
    else high = middle;
  }
  return high;
}
