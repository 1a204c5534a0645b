import { backupPage } from "../backups/pages.ts";
import { CLUSTER_BACKUPS, STORE_BACKUP } from "../model/cluster-names.ts";
import type { Commands } from "../participant/commands.ts";
import { fail, type Handlers, type MachineSetting, type MemoryMachine } from "./memory-participant.ts";

/** Restic on one simulated machine. A repository is the same from every machine. */
export function backupHandlersOf(
  machine: MemoryMachine,
  { repositories, clock }: MachineSetting,
): Pick<Handlers, Extract<keyof Commands, `backup.${string}`>> {
  const changed = (what: string) => machine.effects.push(what);
  const inside = (url: string) =>
    repositories.get(url) ?? fail("repository_absent", `there is no repository at ${url}`);
  return {
    "backup.look": ({ repository }) => {
      const { restic, problem } = machine.backups;
      if (!restic) return { restic: null };
      if (repository === undefined) return { restic: "0.14.0" };
      if (problem !== undefined) return { restic: "0.14.0", problem: { code: problem, message: problem } };
      return { restic: "0.14.0", state: repositories.has(repository.url) ? "ready" : "absent" };
    },
    "backup.open": ({ repository: { url } }) => {
      if (repositories.has(url)) return { created: false };
      repositories.set(url, []);
      return { created: true };
    },
    "backup.list": ({ repository, namespace, after }) =>
      backupPage(
        inside(repository.url)
          .map(({ backup }) => backup)
          .filter((one) => namespace === undefined || one.namespace === namespace),
        after,
        2,
      ),
    "backup.read": ({ repository, id }) => {
      const found = inside(repository.url).find(({ backup }) => backup.id.startsWith(id));
      return found === undefined ? null : { backup: found.backup, content: found.content };
    },
    "backup.take": ({ repository, namespace, volume, id, snapshot, guid, commit, operation }) => {
      const all = inside(repository.url);
      const made = all.find(({ backup }) => backup.operation === operation && backup.volume === volume);
      const at = new Date(clock.now()).toISOString();
      if (made !== undefined)
        return { backup: made.backup.id, at: made.backup.at, bytes: 1_000, addedBytes: 0 };
      const source = machine.volumes.get(id);
      const data = source?.snapshots.get(snapshot);
      if (source === undefined || data?.guid !== guid)
        return fail("snapshot_missing", `volume ${id} has no snapshot ${snapshot}`);
      const backup = `${operation.toLowerCase()}${volume}`.padEnd(64, "0");
      all.push({
        backup: {
          ...{ id: backup, repository: repository.name, cluster: "memory", clusterId: "c1" },
          ...{ namespace, volume, at },
          ...{ machine: machine.id, commit, snapshot, operation },
        },
        content: { v: 1, version: "0.0.0", spec: source.spec, guid, bytes: 1_000, manifest: "" },
        data: data.content,
      });
      return { backup, at, bytes: 1_000, addedBytes: 1_000 };
    },
    "backup.store": ({ repository, operation }) => {
      const all = inside(repository.url);
      const made = all.find(({ backup }) => backup.operation === operation);
      if (made !== undefined) return { backup: made.backup.id, bytes: 1_000, addedBytes: 0 };
      const id = operation.toLowerCase().padEnd(64, "0");
      all.push({
        backup: {
          ...{ id, repository: repository.name, cluster: "memory", clusterId: "c1" },
          ...{ namespace: CLUSTER_BACKUPS, volume: STORE_BACKUP, at: new Date(clock.now()).toISOString() },
          ...{ machine: machine.id, commit: 0, snapshot: "", operation },
        },
        content: { v: 1, version: "0.0.0", spec: { scope: "single" }, guid: "", bytes: 1_000, manifest: "" },
        data: [],
      });
      return { backup: id, bytes: 1_000, addedBytes: 1_000 };
    },
    "backup.hook": ({ id, argv }) => {
      const hook = argv.join(" ");
      if (!machine.instances.has(id)) return fail("instance_missing", `there is no instance ${id}`);
      machine.hooks.push(hook);
      return hook.startsWith("false") ? fail("hook_failed", `${hook} ended with exit code 1`) : null;
    },
    "backup.forget": ({ repository, backups }) => {
      const all = inside(repository.url);
      const left = all.filter(({ backup }) => !backups.includes(backup.id));
      if (left.length < all.length) changed(`forget ${all.length - left.length} backups`);
      repositories.set(repository.url, left);
      return null;
    },
    "backup.drop": () => null,
    "backup.check": ({ repository }) => {
      inside(repository.url);
      return null;
    },
    "backup.compare": ({ repository, backup, id, operation }) => {
      const found = inside(repository.url).find((one) => one.backup.id === backup);
      const volume = machine.volumes.get(id);
      if (found === undefined) return fail("no_such_backup", `there is no backup ${backup}`);
      if (volume?.operation !== operation) return fail("dataset_foreign", `volume ${id} is another's`);
      if (volume.content !== found.data || machine.backups.differs)
        return fail("backup_differs", `volume ${id} is not the backup`);
      return { files: 1, bytes: 1_000 };
    },
    "backup.restore": ({ repository, backup, id, operation }) => {
      const found = inside(repository.url).find((one) => one.backup.id === backup);
      const volume = machine.volumes.get(id);
      if (found === undefined) return fail("no_such_backup", `there is no backup ${backup}`);
      if (volume === undefined) return fail("volume_missing", `volume ${id} is not on ${machine.id}`);
      if (volume.operation !== operation) return fail("dataset_foreign", `volume ${id} is another's`);
      if (volume.content !== found.data) changed(`restore ${id}`);
      volume.content = found.data;
      return null;
    },
  };
}
