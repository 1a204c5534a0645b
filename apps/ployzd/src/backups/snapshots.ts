import type { Backup } from "@ployz/primitives/protocol";
import type { Restic } from "./restic.ts";
import { backupsIn } from "./tags.ts";

/** Bytes, or that another program has locked the repository. */
export type Progress = { done: number; total?: number } | { waiting: true };

const QUICK = 60_000;

/** The backups of a repository that have all of the tags, oldest first. */
export async function listed(
  restic: Restic,
  repository: string,
  tags: readonly string[],
  signal: AbortSignal,
): Promise<readonly Backup[]> {
  const filter = tags.length === 0 ? [] : ["--tag", tags.join(",")];
  return backupsIn(
    await restic.run(["snapshots", "--json", "--no-lock", ...filter], { signal, timeoutMs: QUICK }),
    repository,
  );
}

/** What `restic backup --json` tells. */
export type Summary = Readonly<{
  message_type?: string;
  bytes_done?: number;
  total_bytes?: number;
  total_bytes_processed?: number;
  data_added?: number;
}>;

/** `undefined`: a line for people. */
export function messageOf(text: string): Summary | undefined {
  try {
    return JSON.parse(text) as Summary;
  } catch {
    return undefined;
  }
}
