import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Backup, readBackup, renewBackup } from "@ployz/nats-store";
import type {
  StoreEvent,
  StoreMoved,
  StorePlan,
  StoreRecovery,
  StoreRestore,
  StoreView,
} from "@ployz/primitives/client";
import type { Entry, Json } from "@ployz/primitives/protocol";
import type { Restored } from "../certificates/restore.ts";
import { PloyzError } from "../error-codes.ts";
import type { Parcel } from "../peers/commands.ts";
import type { Records } from "../state/records.ts";
import type { Founding } from "./found.ts";
import { conclude, hold, needFit, noStore, Refused, type StoreDeps, settled } from "./move.ts";
import { type Surveyed, setOf } from "./survey.ts";
import { sorted } from "./wanted.ts";

export interface ReplaceDeps extends StoreDeps {
  readonly dir: string;
  readonly cluster: string;
  readonly natsServer: string;
  readonly mirror: Records;
  offerFile(machine: string, path: string): string;
  /** Whether a peer has answered since this daemon started, so that it opened its part of the store. */
  opened(): boolean;
  /** Brings keys of certificates back into the store on these machines. */
  restoreKeys(machines: readonly string[]): Promise<Restored>;
  /** Opens it without a peer's answer. */
  open(): Promise<void>;
}

export interface Run {
  readonly id: string;
  emit(event: StoreEvent): void;
}

/** Restores the store from a backup: as a new generation, with the present members. */
export async function restoreBackup(
  deps: ReplaceDeps,
  request: StoreRestore & { readonly file: string },
  { id, emit }: Run,
): Promise<StorePlan | StoreMoved> {
  const secret = request.passphrase === undefined ? {} : { passphrase: request.passphrase };
  const backup = await readBackup(request.file, secret);
  if (backup.manifest.cluster !== deps.cluster)
    throw new PloyzError({
      code: "backup_other_cluster",
      message: `the backup belongs to cluster ${backup.manifest.cluster}, not to ${deps.cluster}`,
      hint: "use a backup of this cluster; if that one is lost, found it again on a new machine: ployzctl mesh init NAME --id ID",
    });
  const seen = await settled(deps, request.preview === true, emit);
  if (seen.serving === undefined) throw noStore(seen);
  const { generation } = seen.serving;
  const present = sorted(setOf(seen.looks, generation));
  const views = viewsOf(seen);
  const has = sequencesOf(backup);
  const newer = views.filter(({ commits, facts }) => commits > has.commits || facts > has.facts);
  const recovery: StoreRecovery = {
    ...has,
    ...{ namespaces: [], views },
    lost: newer.length === 0 ? [] : [`everything after ${backup.manifest.createdAt}`],
  };
  const plan: StorePlan = {
    ...{ kind: "store-plan", action: "restore", changes: true, recovery },
    from: { generation, machines: present },
    to: { generation: generation + 1, machines: present },
    unfinished: [],
    warnings:
      newer.length === 0 ? [] : [`the store has changed since the backup of ${backup.manifest.createdAt}`],
  };
  emit({ type: "store-plan", plan });
  if (newer.length > 0 && request.overwrite !== true && request.preview !== true)
    throw new Refused([
      {
        code: "store_newer_than_backup",
        message: `the store has changed since the backup of ${backup.manifest.createdAt}: commits up to ${Math.max(...views.map(({ commits }) => commits))}, in the backup up to ${has.commits}`,
        hint: "restoring loses later changes: save them with ployzctl store snapshot, then pass --yes",
      },
    ]);
  await needFit(deps, seen, present, generation + 1);
  if (request.preview === true) return plan;
  const lease = await hold(deps, id);
  const founding: Founding = {
    ...{ id, storePort: deps.storePort, from: { generation, machines: present } },
    to: { generation: generation + 1, machines: deps.members().filter((one) => present.includes(one.id)) },
    members: membersOf(deps.mirror),
    ...(backup.manifest.sealKey !== undefined && { sealKey: backup.manifest.sealKey }),
    parcel: (_, to) => renewed(deps, { backup, views, to, name: id }),
  };
  const moved = await conclude(deps, { founding, action: "restore", emit, lease });
  return { ...moved, recovery };
}

export const viewsOf = (seen: Surveyed): readonly StoreView[] =>
  sorted(Object.keys(seen.looks)).flatMap((machine) => {
    const look = seen.looks[machine];
    return look === undefined ? [] : [{ machine, ...look.view }];
  });

function sequencesOf({ manifest }: Backup): { readonly commits: number; readonly facts: number } {
  const last = (part: string) =>
    manifest.streams.find(({ name }) => name.toLowerCase().endsWith(part))?.state.last_seq ?? 0;
  return { commits: last("commits"), facts: last("facts") };
}

const membersOf = (mirror: Records): Readonly<Record<string, Json>> =>
  Object.fromEntries(
    (["cluster", "machine", "subnet"] as const)
      .flatMap((name): readonly Entry<Json>[] => mirror.facts(name))
      .map(({ key, value }) => [key, value]),
  );

async function renewed(
  deps: ReplaceDeps,
  {
    backup,
    views,
    to,
    name,
  }: {
    readonly backup: Backup;
    readonly views: readonly StoreView[];
    readonly to: string;
    readonly name: string;
  },
): Promise<Parcel> {
  await mkdir(deps.dir, { recursive: true, mode: 0o700 });
  const file = join(deps.dir, `${name}.ployz`);
  const most = (what: "commits" | "facts") => Math.max(0, ...views.map((view) => view[what]));
  await renewBackup(backup, {
    ...{ file, createdAt: new Date().toISOString(), binary: deps.natsServer },
    seen: { commits: most("commits"), facts: most("facts") },
  });
  const sha256 = createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
  return { machine: deps.self, token: deps.offerFile(to, file), sha256 };
}
