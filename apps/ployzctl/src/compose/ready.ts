import { durationMs, durationText } from "./durations.ts";
import type { ComposePath, Report } from "./report.ts";
import { scalarText, shellWords } from "./words.ts";

type Table = Readonly<Record<string, unknown>>;

/** A healthcheck as `ready`: its program is run in the instance until it succeeds, from the start on. */
export function convertHealthcheck(check: Table, at: ComposePath, report: Report): object | undefined {
  const {
    test,
    disable,
    interval: _,
    retries: __,
    start_period: period,
    start_interval: ___,
    timeout: ____,
    ...rest
  } = check;
  for (const key of Object.keys(rest)) report.add([...at, key], "is not supported", "leave it out");
  if (disable === true || test === undefined) return undefined;
  for (const key of ["interval", "timeout", "start_period", "start_interval"])
    if (check[key] !== undefined) timeOf(check[key], [...at, key], report);
  const argv = commandOf(test);
  if (argv === "none") return undefined;
  if (argv === undefined)
    return report.add([...at, "test"], "is not a command", 'for example ["CMD", "pg_isready"]');
  // Compose calls it unhealthy after its retries, which begin after the start period.
  const ms = (value: unknown, fallback: number) =>
    typeof value === "string" ? (durationMs(value) ?? fallback) : fallback;
  const allowed = ms(period, 0) + (Number(check.retries ?? 3) + 1) * (ms(check.interval, 30_000) + 1_000);
  return { exec: argv, timeout: durationText(Math.min(Math.max(30_000, allowed), 3_600_000)) };
}

/** In milliseconds. */
export function timeOf(value: unknown, at: ComposePath, report: Report): number | undefined {
  const ms = typeof value === "string" ? durationMs(value) : undefined;
  return ms ?? report.add(at, `${scalarText(value)} is not a duration`, "for example 1m30s");
}

function commandOf(test: unknown): readonly string[] | "none" | undefined {
  if (typeof test === "string") return test.trim() === "" ? undefined : ["/bin/sh", "-c", test];
  if (!Array.isArray(test) || !test.every((word) => typeof word === "string")) return undefined;
  const [kind, ...argv] = test as readonly string[];
  if (kind === "NONE") return "none";
  if (kind === "CMD" && argv.length > 0) return argv;
  if (kind === "CMD-SHELL" && argv.length === 1) return ["/bin/sh", "-c", ...argv];
  return undefined;
}

/** `command`: a list, or a line in words. */
export function convertCommand(
  value: unknown,
  at: ComposePath,
  report: Report,
): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  const words = Array.isArray(value) ? value.map(String) : shellWords(scalarText(value));
  if (words === undefined) return report.add(at, "has an open quote", "write it as a list of words");
  // In Compose it removes the image's own.
  if (words.length === 0) return report.add(at, "is empty", "name the program, or leave it out");
  return words;
}
