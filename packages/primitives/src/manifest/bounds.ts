import type { Refusal } from "../error-codes.ts";
import type { EnvValue } from "../model/commit.ts";
import { invalid, type Segment } from "../model/field.ts";
import { bytesOf, LIMITS, leastMemory, programBytes, RECORDSIZES } from "../model/limits.ts";
import type { Manifest, ManifestJob, ManifestService } from "./schema.ts";
import { durationMs, formatSize, sizeBytes } from "./units.ts";

type At = readonly Segment[];
type Volume = NonNullable<Manifest["volumes"]>[string];

/** Bounds of a workload's values that a pattern cannot state: bytes, ids, amounts. */
export function checkWorkloadBounds(at: At, spec: ManifestService | ManifestJob): readonly Refusal[] {
  const { memory, pids = LIMITS.pids } = spec.resources ?? {};
  return [
    ...(spec.bundle === undefined || pids >= LIMITS.pids
      ? []
      : [
          invalid([...at, "resources", "pids"], `must be at least ${LIMITS.pids} with a bundle, not ${pids}`),
        ]),
    ...(memory === undefined ? [] : checkSize([...at, "resources", "memory"], memory, LIMITS.memory)),
    ...checkIds([...at, "user"], spec.user ?? ""),
    ...(spec.entrypoint ?? []).flatMap((word, index) => checkWord([...at, "entrypoint", index], word)),
    ...(spec.command ?? []).flatMap((word, index) => checkWord([...at, "command", index], word)),
    ...Object.entries(spec.env ?? {}).flatMap(([name, value]) =>
      typeof value === "string" ? checkWord([...at, "env", name], value) : [],
    ),
    ...checkProgram(at, {
      command: [...(spec.entrypoint ?? []), ...(spec.command ?? [])],
      env: spec.env ?? {},
      ...(memory !== undefined && { memoryBytes: sizeBytes(memory) ?? 0 }),
    }),
  ];
}

export function checkVolumeBounds(at: At, { quota, recordsize }: Volume): readonly Refusal[] {
  return [
    ...(quota === undefined ? [] : checkSize([...at, "quota"], quota, LIMITS.quota)),
    ...(recordsize === undefined || RECORDSIZES.some((size) => size === sizeBytes(recordsize))
      ? []
      : [invalid([...at, "recordsize"], `${recordsize} is no power of two up to 128K`, 'for example "16K"')]),
  ];
}

/** `atLeastMs`: a time-out of 0 is over before anything has happened. */
export function checkDuration(at: At, text: string | undefined, atLeastMs = 0): readonly Refusal[] {
  const ms = text === undefined ? atLeastMs : (durationMs(text) ?? 0);
  if (ms > LIMITS.duration) return [invalid(at, `${text} is longer than a day`)];
  return ms < atLeastMs ? [invalid(at, `must be longer than ${text}`, 'for example "30s"')] : [];
}

interface Program {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, EnvValue>>;
  /** Bytes of the secrets whose size is known, by variable. */
  readonly secrets?: Readonly<Record<string, number>>;
  readonly memoryBytes?: number;
}

/** What a command and its environment take together, of a program and of its memory. */
export function checkProgram(
  at: At,
  { command, env, secrets = {}, memoryBytes }: Program,
): readonly Refusal[] {
  const sizes = Object.entries(env).map(([name, value]): [string, number] => [
    name,
    typeof value === "string" ? bytesOf(value) : (secrets[name] ?? 0),
  ]);
  const bytes = programBytes(command, Object.fromEntries(sizes));
  const least = leastMemory(bytes);
  if (bytes <= LIMITS.program)
    return memoryBytes === undefined || memoryBytes < LIMITS.memory || memoryBytes >= least
      ? []
      : [
          invalid(
            [...at, "resources", "memory"],
            `must be at least ${formatSize(least)} with a command and environment of ${bytes} bytes, not ${formatSize(memoryBytes)}`,
          ),
        ];
  return [
    invalid(
      [...at, "env"],
      `command and environment take ${bytes} bytes together; a program gets at most ${LIMITS.program}`,
      "put large values into a file of the image or the bundle",
    ),
  ];
}

export function checkSize(at: At, text: string, least: number): readonly Refusal[] {
  const bytes = sizeBytes(text) ?? 0;
  if (bytes < least) return [invalid(at, `must be at least ${formatSize(least)}, not ${text}`)];
  return bytes > LIMITS.size ? [invalid(at, `must be at most 8191T, not ${text}`)] : [];
}

function checkWord(at: At, word: string): readonly Refusal[] {
  const bytes = bytesOf(word);
  return bytes <= LIMITS.word ? [] : [invalid(at, `has ${bytes} bytes; at most ${LIMITS.word} are allowed`)];
}

/** The numbers in `user`, `user:group` or a group. */
export function checkIds(at: At, user: string): readonly Refusal[] {
  const over = user.split(":").find((id) => /^\d+$/.test(id) && Number(id) > LIMITS.uid);
  return over === undefined ? [] : [invalid(at, `${over} is above ${LIMITS.uid}, the highest id`)];
}
