import { backupTitle } from "@ployz/primitives/client";
import type { BackupDocument, BackupList, Json, RepositoryDocument, RepositoryList } from "../../api.ts";
import { ago, bytes, type Cell, lines, type Page, table } from "../page.ts";

/** Characters of an id that tell backups apart, as restic shows them. */
const SHORT = 8;

export const repositoriesPage = ({ repositories }: RepositoryList, now: number): Page => [
  table(
    "repository",
    ["REPOSITORY", "URL", "SECRET", "ADDED", "BY"],
    repositories.map(({ name, url, secret, at, by }) => [name, url, secret, ago(at, now), by]),
    {
      empty: "no repositories; add one: ployzctl backup repository add NAME URL --secret NAMESPACE/SECRET",
      drop: ["BY", "ADDED"],
    },
  ),
];

export function repositoryPage({ name, url, secret, machines }: RepositoryDocument): Page {
  const problems = machines.flatMap(({ machine, problem }): Cell[] =>
    problem === undefined
      ? []
      : [
          { text: `${machine}: ${problem.message}`, tone: "bad" },
          ...(problem.hint === undefined ? [] : [`  ${problem.hint}`]),
        ],
  );
  return [
    lines(`repository ${name}`, `url        ${url}`, `secret     ${secret}`),
    table(
      "machine",
      ["MACHINE", "RESTIC", "STATE"],
      machines.map(({ machine, restic, state }) => [
        machine,
        restic === undefined ? { text: "not installed", tone: "warn" } : restic,
        { text: state, tone: state === "ready" ? "ok" : "bad" },
      ]),
      { empty: "no machine answers" },
    ),
    ...(problems.length === 0 ? [] : [lines(...problems)]),
  ];
}

export function backupsPage({ backups, problems }: BackupList, now: number): Page {
  return [
    table(
      "backup",
      ["BACKUP", "VOLUME", "TAKEN", "REPOSITORY", "MACHINE", "COMMIT", "OPERATION"],
      backups.map(({ id, at, repository, machine, commit, operation, ...of }) => [
        id.slice(0, SHORT),
        backupTitle(of),
        ago(at, now),
        repository,
        machine,
        String(commit),
        operation,
      ]),
      {
        empty: "no backups; make one: ployzctl backup run NAMESPACE",
        drop: ["OPERATION", "COMMIT", "MACHINE"],
      },
    ),
    ...problems.map(({ repository, error }) =>
      lines({ text: `${repository} could not be read: ${error.message}`, tone: "bad" }),
    ),
  ];
}

export function backupPage({ backup, version, ...content }: BackupDocument): Page {
  const { id, repository, cluster, namespace, volume, at, machine, commit, operation } = backup;
  return [
    lines(
      `backup     ${id}`,
      `volume     ${namespace}/${volume} of the cluster ${cluster}`,
      `taken      ${at} on ${machine}, at commit ${commit}`,
      `size       ${bytes(content.bytes)}`,
      `repository ${repository}`,
      `operation  ${operation}, by Ployz ${version}`,
    ),
  ];
}

type Summary = {
  readonly kind: string;
  /** Of the store's. */
  readonly machine?: string;
  readonly backup?: string;
  readonly bytes?: number;
  readonly repository: string;
  readonly url?: string;
  readonly creates?: boolean;
  /** Of a prune: what goes, and how many stay. */
  readonly removed?: readonly { readonly id: string; readonly volume: string; readonly at: string }[];
  readonly kept?: number;
  /** Of a verification. */
  readonly job?: string;
  readonly allData?: boolean;
  readonly volumes?: readonly {
    readonly name: string;
    readonly machine?: string;
    readonly backup?: string;
    /** Of a verified backup. */
    readonly files?: number;
    readonly bytes?: number;
    readonly addedBytes?: number;
  }[];
};
const isSummary = (value: unknown): value is Summary =>
  typeof value === "object" &&
  value !== null &&
  "kind" in value &&
  typeof value.kind === "string" &&
  (value.kind.startsWith("backup-") || value.kind === "store-backup") &&
  "repository" in value;

/** The summary of an operation on repositories or backups. */
export function backupLines(summary: Json): readonly Cell[] {
  if (!isSummary(summary)) return [];
  const { kind, repository, url, creates, volumes = [], removed = [], kept = 0, job, allData } = summary;
  if (kind === "store-backup") return [{ text: storeLine(summary), tone: "ok" }];
  if (kind === "backup-repository-rm") return [{ text: `- repository ${repository} at ${url}`, tone: "bad" }];
  if (kind === "backup-repository-add")
    return [{ text: `+ repository ${repository} at ${url}${creates === true ? ", new" : ""}`, tone: "ok" }];
  if (kind === "backup-prune")
    return [
      ...removed.map(({ id, volume, at }) => ({
        text: `- backup ${id.slice(0, SHORT)} of ${volume}, of ${at}`,
        tone: "bad" as const,
      })),
      `${kept} ${kept === 1 ? "backup stays" : "backups stay"} in ${repository}`,
    ];
  if (kind === "backup-verify")
    return [
      ...volumes.map(({ name, backup = "", files, bytes: size }) => {
        const what = `${name} by ${backup.slice(0, SHORT)} of ${repository}`;
        if (files === undefined) return `~ restore ${what}`;
        const text = `verified ${what}: ${files} ${files === 1 ? "file" : "files"}, ${bytes(size ?? 0)}`;
        return { text, tone: "ok" as const };
      }),
      ...(job === undefined ? [] : [`  checked by the job ${job}`]),
      ...(allData === true ? [`  with all data of ${repository}`] : []),
    ];
  return volumes.map(({ name, machine = "", backup, ...size }) => ({
    text:
      backup === undefined
        ? `+ backup of ${name} from ${machine} to ${repository}`
        : `+ backup ${backup.slice(0, SHORT)} of ${name} in ${repository}: ${bytes(size.bytes ?? 0)}, ${bytes(size.addedBytes ?? 0)} new`,
    tone: "ok" as const,
  }));
}

const storeLine = ({ repository, machine = "", backup, bytes: size = 0 }: Summary): string =>
  backup === undefined
    ? `+ backup of the store from ${machine} to ${repository}`
    : `+ backup ${backup.slice(0, SHORT)} of the store in ${repository}: ${bytes(size)}`;
