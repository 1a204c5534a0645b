import { parseReference, shortName } from "@ployz/images";
import type { StoredContent } from "@ployz/primitives/protocol";
import type { Retention } from "../../config/load.ts";

/** An image or a bundle of this machine, before it is known who needs it. */
export interface Held {
  readonly kind: StoredContent["kind"];
  readonly digest: string;
  /** All digests under which a commit, an operation or an instance may need it: of the manifest, of the configuration, the engine's id. */
  readonly aliases: readonly string[];
  /** Full ones. */
  readonly names: readonly string[];
  /** Names that another image got. */
  readonly former: readonly string[];
  readonly sizeBytes: number;
  readonly atMs: number;
}

const DAY_MS = 86_400_000;

/**
 * What needs each, and what has expired: it is needed by nothing, older than the days of the retention, and not among the newest of its repository. `waits`:
 * not all users are known, so nothing has expired. Pure.
 */
export function judge(
  held: readonly Held[],
  {
    users,
    retention,
    now,
    all = false,
    waits = false,
  }: {
    readonly users: ReadonlyMap<string, readonly string[]>;
    readonly retention: Retention;
    readonly now: number;
    readonly all?: boolean | undefined;
    readonly waits?: boolean | undefined;
  },
): readonly StoredContent[] {
  const newest = newestOfEach(held, retention.last);
  return held.map((one): StoredContent => {
    const keptBy = [...new Set(one.aliases.flatMap((digest) => users.get(digest) ?? []))].sort();
    const young = now - one.atMs <= retention.days * DAY_MS;
    const retained = !all && (young || newest.has(one.digest));
    return {
      ...{ kind: one.kind, digest: one.digest, sizeBytes: one.sizeBytes, keptBy },
      names: one.names.map(shortName).sort(),
      at: new Date(one.atMs).toISOString(),
      expired: keptBy.length === 0 && !retained && !waits,
    };
  });
}

function newestOfEach(held: readonly Held[], count: number): ReadonlySet<string> {
  const byRepository = new Map<string, Held[]>();
  for (const one of held)
    for (const repository of new Set([...one.names, ...one.former].map(repositoryOf)))
      byRepository.set(repository, [...(byRepository.get(repository) ?? []), one]);
  const kept = [...byRepository.values()].flatMap((all) =>
    [...all].sort((left, right) => right.atMs - left.atMs).slice(0, count),
  );
  return new Set(kept.map(({ digest }) => digest));
}

function repositoryOf(name: string): string {
  const { registry, repository } = parseReference(name);
  return `${registry}/${repository}`;
}

/** Whether `ref` names it: a name, a digest, or the beginning of a digest. */
export function isNamedBy(ref: string, full: string | undefined, { names, aliases }: Held): boolean {
  if (ref.startsWith("sha256:"))
    return ref.length >= "sha256:".length + 6 && aliases.some((digest) => digest.startsWith(ref));
  return full !== undefined && names.includes(full);
}
