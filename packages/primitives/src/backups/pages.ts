import type { Backup } from "../model/backup.ts";
import type { BackupCommands } from "../participant/backup-commands.ts";

type Page = BackupCommands["backup.list"]["out"];

/** Backups in one answer: some two mebibytes. */
const PAGE = 5_000;

const cursorOf = ({ at, id }: Backup): string => `${at} ${id}`;

/** The page of a list, oldest first, after a cursor; all of the list where the caller knows no pages. Pure. */
export function backupPage(all: readonly Backup[], after: string | undefined, size = PAGE): Page {
  if (after === undefined) return { backups: all };
  const rest = all
    .map((backup) => ({ backup, cursor: cursorOf(backup) }))
    .filter(({ cursor }) => cursor > after)
    .sort((left, right) => (left.cursor < right.cursor ? -1 : 1));
  const page = rest.slice(0, size);
  const next = page.at(-1)?.cursor;
  return {
    backups: page.map(({ backup }) => backup),
    ...(rest.length > page.length && next !== undefined && { next }),
  };
}

/** All pages, as `read` gets them. A machine of an earlier version answers with all at once. */
export async function allBackups(read: (after: string) => Promise<Page>): Promise<readonly Backup[]> {
  const all: Backup[] = [];
  for (let after: string | undefined = ""; after !== undefined; ) {
    const page: Page = await read(after);
    for (const backup of page.backups) all.push(backup);
    after = page.next;
  }
  return all;
}
