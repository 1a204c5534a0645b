import type { Command, Option } from "../../command.ts";
import { CHANGE, PREVIEW, YES } from "../../flags.ts";
import { KEEP } from "./keep.ts";

const repository = { name: "name", summary: "The repository", required: true } as const;
const REPOSITORY: Readonly<Record<string, Option>> = {
  repository: {
    type: "text",
    value: "NAME",
    summary: "The repository; not needed where the cluster has one",
  },
};

export const backupCommands: readonly Command[] = [
  {
    path: ["backup", "repository", "add"],
    summary: "Add a repository for backups, and create it unless it exists",
    details: [
      "URL is s3:HOST/BUCKET/PATH or s3://BUCKET/PATH, sftp://USER@HOST//PATH, rest:https://HOST/, file:/PATH (a folder that every machine with volumes mounts) or rclone:REMOTE:PATH. Backups are made by restic: encrypted, compressed, and each block stored once.",
      "The secret has lines KEY=VALUE. password encrypts the repository: without it nothing can be restored, so keep it outside the cluster too. s3 needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and takes AWS_SESSION_TOKEN and AWS_DEFAULT_REGION; sftp takes ssh_key (a private key without a passphrase) and ssh_known_hosts, else root's own; rest takes rest_username and rest_password; rclone takes RCLONE_CONFIG_REMOTE_KEY.",
    ],
    prints: CHANGE,
    args: [repository, { name: "url", summary: "Where it is", required: true }],
    options: {
      secret: {
        type: "text",
        value: "NAMESPACE/SECRET",
        summary: "Its password and credentials: a secret of that name",
      },
      ...PREVIEW,
    },
    examples: [
      "ployzctl backup repository add off s3://acme/prod --secret ops/off",
      "ployzctl backup repository add nas sftp://me@nas//srv/b --secret ops/nas",
    ],
    run: async (context, input) => (await import("./repository.ts")).add(context, input),
  },
  {
    path: ["backup", "repository", "ls"],
    summary: "List repositories for backups",
    prints: ["backup-repositories"],
    examples: ["ployzctl backup repository ls"],
    async run(context) {
      return (await context.client()).request("GET /v1/backup-repositories", { signal: context.signal });
    },
  },
  {
    path: ["backup", "repository", "show"],
    summary: "Show a repository, and whether each machine reaches it",
    prints: ["backup-repository"],
    args: [repository],
    examples: ["ployzctl backup repository show offsite"],
    run: async (context, input) => (await import("./repository.ts")).show(context, input),
  },
  {
    path: ["backup", "repository", "rm"],
    summary: "Remove a repository from the cluster; its backups stay",
    details: ["Adding it again under any name finds its backups."],
    prints: CHANGE,
    args: [repository],
    options: { ...PREVIEW, ...YES },
    examples: ["ployzctl backup repository rm offsite"],
    run: async (context, input) => (await import("./repository.ts")).remove(context, input),
  },
  {
    path: ["backup", "run"],
    summary: "Back up a namespace's volumes to a repository",
    details: [
      "Services run on. Each machine snapshots its volumes of the namespace at one instant and copies them from there; the snapshot goes afterwards. The namespace's manifest goes along, with the values of env.",
      "A volume that is copied stays in the repository also when the run fails at a later one.",
    ],
    prints: CHANGE,
    args: [{ name: "namespace", summary: "The namespace", required: true, source: "namespace" }],
    options: {
      volume: { type: "text", value: "NAME", summary: "Only this volume" },
      ...REPOSITORY,
      ...PREVIEW,
    },
    examples: ["ployzctl backup run prod", "ployzctl backup run prod --volume pgdata --repository offsite"],
    run: async (context, input) => (await import("./backup.ts")).run(context, input),
  },
  {
    path: ["backup", "ls"],
    summary: "List backups in the repositories",
    prints: ["backups"],
    args: [{ name: "namespace", summary: "Only this namespace", source: "namespace" }],
    options: REPOSITORY,
    examples: ["ployzctl backup ls prod"],
    run: async (context, input) => (await import("./backup.ts")).list(context, input),
  },
  {
    path: ["backup", "show"],
    summary: "Show a backup, or the manifest that went with it",
    prints: ["backup", "manifest"],
    args: [{ name: "backup", summary: "Its id, or at least eight characters of it", required: true }],
    options: {
      ...REPOSITORY,
      manifest: { type: "flag", summary: "Print the namespace's manifest, with the values of env" },
    },
    examples: ["ployzctl backup show 63a86c7b", "ployzctl backup show 63a86c7b --manifest > prod.toml"],
    run: async (context, input) => (await import("./backup.ts")).show(context, input),
  },
  {
    path: ["backup", "verify"],
    summary: "Restore backups into throw-away volumes, and compare them",
    details: [
      "Without @BACKUP: the newest of the volume, or of each volume of the namespace. All of it is read from the repository, compared with what the backup lists, and destroyed again. Only a backup that passes counts as verified.",
      "--job runs a job of the namespace on the restored data, mounted where the service has the volume: its exit code decides. A job with a schedule is not run by deploys. Volumes and job are on one machine.",
    ],
    prints: CHANGE,
    args: [
      {
        name: "backup",
        summary: "NAMESPACE, NAMESPACE/VOLUME or NAMESPACE/VOLUME@BACKUP",
        required: true,
        sets: ["namespace", "volume"],
      },
    ],
    options: {
      job: { type: "text", value: "JOB", summary: "Check the restored data with this job" },
      to: {
        type: "text",
        value: "MACHINE",
        source: "machine",
        summary: "Restore there. Default: the volume's machine",
        sets: ["machine"],
      },
      "all-data": { type: "flag", summary: "Also read all data of the repository, of all its backups" },
      ...REPOSITORY,
      ...PREVIEW,
    },
    examples: ["ployzctl backup verify prod/pgdata --job check", "ployzctl backup verify prod --all-data"],
    run: async (context, input) => (await import("./backup.ts")).verify(context, input),
  },
  {
    path: ["backup", "prune"],
    summary: "Delete backups of a namespace beyond a rule",
    details: [
      "Each volume's newest backup always stays, and so do the newest of each of the last hours, days, weeks, months and years that are named, in UTC. Backups of other namespaces and clusters in the repository are not touched.",
    ],
    prints: CHANGE,
    args: [{ name: "namespace", summary: "The namespace", required: true, source: "namespace" }],
    options: {
      volume: { type: "text", value: "NAME", summary: "Only this volume" },
      ...KEEP,
      ...REPOSITORY,
      ...PREVIEW,
      ...YES,
    },
    examples: ["ployzctl backup prune prod --keep-daily 14 --keep-weekly 8 -n"],
    run: async (context, input) => (await import("./backup.ts")).prune(context, input),
  },
  {
    path: ["backup", "restore"],
    summary: "Restore a volume, or a namespace's volumes, under a new name",
    details: [
      "Nothing is overwritten: the new volume must not exist. It has the size limits of the old one, and no schedule. A namespace that does not exist is created with the volume alone.",
      "NAMESPACE@BACKUP restores all volumes of the run that the backup belongs to, then prints the namespace's manifest, to be deployed: also into another cluster, where the repository was added with the same password. Secrets, bundles and images do not come with it. A second run continues where the first one ended.",
    ],
    prints: [...CHANGE, "backups", "manifest"],
    args: [
      {
        name: "backup",
        summary: "NAMESPACE/VOLUME@BACKUP or NAMESPACE@BACKUP",
        required: true,
        sets: ["namespace", "volume"],
      },
    ],
    options: {
      as: {
        type: "text",
        value: "NAMESPACE[/VOLUME]",
        summary: "The new volume, or namespace",
        sets: ["target"],
      },
      to: {
        type: "text",
        value: "MACHINE",
        source: "machine",
        summary: "Where it will be. Default: the machine that it was on",
        sets: ["machine"],
      },
      ...REPOSITORY,
      ...PREVIEW,
    },
    examples: [
      "ployzctl backup restore prod/pgdata@63a86c7b --as check/pgdata",
      "ployzctl backup restore prod@63a86c7b --as prod > prod.toml",
    ],
    run: async (context, input) => (await import("./backup.ts")).restore(context, input),
  },
];
