import { errorBody } from "@ployz/errors";
import { hostsOf } from "../backups/find.ts";
import { listBackups } from "../backups/list.ts";
import { chooseRepository, type Look, look, repositoriesOf, repositoryAt } from "../backups/observe.ts";
import { liveHead } from "../change/decide/as-it-is.ts";
import { findContent, observeCluster } from "../change/observe/cluster.ts";
import type { ChangeFacts } from "../change/observe/facts.ts";
import type { PrimitivePorts, Refusal } from "../engine/types.ts";
import { refusalOf } from "../error-codes.ts";
import {
  type Backup,
  type BackupContent,
  type BackupVerified,
  backupVerifyKey,
  type RepositoryAt,
} from "../model/backup.ts";
import { own } from "../model/own.ts";
import type { BackupVerifyInput } from "./input.ts";

/** A backup to restore, with what lies beside its data. */
export type Source = { readonly backup: Backup; readonly content: BackupContent };

/** What would be restored, and where; or why nothing can be. */
export type Found =
  | {
      readonly repository: RepositoryAt;
      readonly sources: readonly Source[];
      /** Volumes without any backup. */
      readonly none: readonly string[];
      readonly to: Look;
    }
  | { readonly refusal: Refusal };

export type Facts = ChangeFacts & {
  readonly found: Found;
  readonly last?: BackupVerified;
  /** Revision of the fact about the last one. */
  readonly revision: number;
};

const READ_MS = 120_000;

export async function observe(
  input: BackupVerifyInput,
  ports: PrimitivePorts,
  signal: AbortSignal,
): Promise<Facts> {
  const [cluster, repositories, fact] = await Promise.all([
    observeCluster([input.namespace], ports, signal),
    repositoriesOf(ports),
    ports.store.facts.get(backupVerifyKey(input.namespace)),
  ]);
  const spec =
    input.job === undefined ? undefined : own(liveHead(cluster.head)?.commit.jobs, input.job)?.spec;
  const content = await findContent(spec === undefined ? [] : [spec], cluster.machines, ports, signal);
  const facts = {
    ...{ ...cluster, content, revision: fact?.revision ?? 0 },
    ...(fact !== undefined && { last: fact.value }),
  };
  const choice = chooseRepository(input.repository, repositories);
  if ("refusal" in choice) return { ...facts, found: choice };
  return {
    ...facts,
    found: await find(input, repositoryAt(choice.repository), { facts: cluster, ports, signal }),
  };
}

async function find(
  { namespace, volume, backup: id, machine }: BackupVerifyInput,
  repository: RepositoryAt,
  {
    facts: { head, machines },
    ports,
    signal,
  }: {
    readonly facts: Omit<ChangeFacts, "content">;
    readonly ports: PrimitivePorts;
    readonly signal: AbortSignal;
  },
): Promise<Found> {
  const listed = await listBackups({ repository, namespace }, ports, signal);
  if ("refusal" in listed) return listed;
  const names =
    volume === undefined ? (liveHead(head)?.commit.volumes ?? []).map(({ name }) => name) : [volume];
  const named = id === undefined ? undefined : listed.backups.filter((one) => one.id.startsWith(id));
  const wanted =
    named === undefined
      ? names.map((name) => listed.backups.findLast((one) => one.volume === name))
      : named.filter((one) => volume === undefined || one.volume === volume);
  const backups = wanted.flatMap((one) => one ?? []);
  try {
    const sources = await Promise.all(
      backups.map(async (backup): Promise<Source | undefined> => {
        const args = { repository, id: backup.id };
        const options = { timeoutMs: READ_MS, signal };
        const read = await ports.machines.call(listed.machine, "backup.read", args, options);
        return read === null ? undefined : { backup, content: read.content };
      }),
    );
    const hosts = hostsOf(machines);
    const before = backups.map((one) => one.machine).find((one) => hosts.includes(one));
    const to = machine ?? before ?? hosts[0] ?? listed.machine;
    return {
      ...{ repository, sources: sources.flatMap((one) => one ?? []) },
      none: id === undefined ? names.filter((name) => !backups.some((one) => one.volume === name)) : [],
      to: await look(to, repository, ports, signal),
    };
  } catch (error) {
    signal.throwIfAborted();
    return { refusal: refusalOf(errorBody(error), "backup_failed") };
  }
}
