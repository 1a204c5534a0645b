import { PloyzError } from "@ployz/errors";
import type { Clock } from "../engine/clock.ts";
import type { SecretRef } from "../model/commit.ts";
import type { ObservedInstance } from "../model/observation.ts";
import type { Commands, InstanceStart } from "../participant/commands.ts";
import type { CallOptions, Fence } from "../ports/machines.ts";
import type { MemoryBackup } from "./memory-backup.ts";
import type { MemoryVolume } from "./memory-volume.ts";

/** How an instance behaves once started; asked when a caller waits for it. */
export interface Behaviour {
  readonly ready: "yes" | "never" | "exits";
  /** Of a job. */
  readonly exitCode?: number;
  readonly logs?: readonly string[];
}

/** An instance of a machine in memory. */
export interface MemoryInstance {
  readonly start: InstanceStart;
  state: "running" | "exited";
  readonly startedAt: string;
}

/** One simulated machine: its contents and its history. Tests may read and change every field. */
export interface MemoryMachine {
  readonly id: string;
  reachable: boolean;
  draining: boolean;
  /** Docker runs images, `process` bundles. */
  runtime: "docker" | "process";
  cpus: number;
  memoryBytes: number;
  diskFreeBytes: number;
  load1: number;
  /** Digests. */
  readonly images: Set<string>;
  readonly bundles: Set<string>;
  /** Address by instance id. */
  readonly reservations: Map<string, string>;
  readonly instances: Map<string, MemoryInstance>;
  /** Fetched for an instance, by its id: `prod/db-url@version` by variable. */
  readonly secrets: Map<string, Readonly<Record<string, string>>>;
  /** Whether it has ZFS. */
  storage: boolean;
  /** Whether retired copies are beyond its retention at once. */
  prunes: boolean;
  /** Copies of volumes, by id. */
  readonly volumes: Map<string, MemoryVolume>;
  /** What its daemon runs. */
  build: string;
  /** Builds that lie there, each with the operation that brought it, if one did. */
  readonly builds: Map<string, string | undefined>;
  releaseKey?: string;
  /** Operations that its daemon runs. */
  readonly busy: string[];
  /** What a switch to a build leads to; default: it runs. `dies`: it never answers. `disturbs`: it restarts this. */
  readonly buildFaults: Map<
    string,
    { readonly kind: "dies" } | { readonly kind: "disturbs"; readonly what: string }
  >;
  /** Whether it has restic, and why it cannot use a repository. `differs`: it restores other data than the backup has. */
  backups: { restic: boolean; problem?: string; differs?: true };
  /** Programs of backups that ran inside instances. */
  readonly hooks: string[];
  readonly fences: Map<string, Fence>;
  /** Every change, in order: `start prod.web.0.k3v9x2ab`. Something already present is no change. */
  readonly effects: string[];
}

/** What a machine in memory reads of the world around it. */
export interface MachineSetting {
  readonly clock: Clock;
  /** What any machine can pull, by reference. */
  readonly registry: ReadonlyMap<string, { readonly digest: string; readonly sizeBytes: number }>;
  /** How an instance behaves. */
  behaviour(start: InstanceStart): Behaviour;
  /** Whether a machine's daemon runs an operation. */
  isRunning(machine: string, operation: string): boolean;
  /** Machine ids that the facts name; `undefined` in a world without membership. */
  members(): Promise<readonly string[] | undefined>;
  /** Whether its record says that it takes nothing new. */
  closed(machine: string): Promise<boolean>;
  /** Whether a machine can be reached. */
  answers(machine: string): boolean;
  /** @throws PloyzError when one of them differs from the present facts. */
  haveSecrets(secrets: readonly SecretRef[]): Promise<void>;
  /** What repositories hold, by URL: outside the cluster. */
  readonly repositories: Map<string, MemoryBackup[]>;
  /** Another machine that can be reached. */
  peer(machine: string): MemoryMachine | undefined;
  /** Unique in the world. */
  newGuid(): string;
  /** Whether something runs on a copy of this volume on another machine, reachable or not. */
  writtenElsewhere(machine: string, volume: string): boolean;
  readonly subnet: string;
}

export type Handlers = {
  readonly [N in keyof Commands]: (
    args: Commands[N]["args"],
    options: CallOptions,
  ) => Promise<Commands[N]["out"]> | Commands[N]["out"];
};

/** Commands that change the machine: they carry a fence. */
export const CHANGING: ReadonlySet<keyof Commands> = new Set([
  "image.ensure",
  "image.prune",
  "image.remove",
  "bundle.ensure",
  "instance.reserve",
  "instance.release",
  "instance.secrets",
  "instance.start",
  "instance.stop",
  "instance.resume",
  "instance.retire",
  "instance.remove",
  "volume.ensure",
  "volume.snapshot",
  "volume.unsnapshot",
  "volume.clone",
  "volume.seal",
  "volume.unseal",
  "volume.pull",
  "volume.admit",
  "volume.discard",
  "volume.retire",
  "volume.prune",
  "volume.follow",
  "volume.unfollow",
  "volume.takeover",
  "volume.giveback",
  "volume.standdown",
  "backup.open",
  "backup.take",
  "backup.store",
  "backup.forget",
  "backup.hook",
  "backup.drop",
  "backup.restore",
  "backup.compare",
  "gateway.hold",
  "machine.leave",
  "payload.ensure",
  "payload.remove",
  "update.switch",
]);

/** A machine that drains, by its own record or because a test says so, takes nothing new. */
export async function refuseWhenDraining(machine: MemoryMachine, setting: MachineSetting): Promise<void> {
  if (machine.draining || (await setting.closed(machine.id)))
    fail("machine_draining", `machine ${machine.id} is draining`);
}

export function fail(code: string, message: string, details?: PloyzError["details"]): never {
  throw new PloyzError({ code, message, ...(details !== undefined && { details }) });
}

/** Refuses what comes from a holder that was replaced, and remembers the newest one. */
export function checkFence(machine: MemoryMachine, fence: Fence | undefined, command: string): void {
  if (fence === undefined) throw new Error(`${command} was sent without a fence`);
  const seen = machine.fences.get(fence.scope);
  const older =
    seen !== undefined &&
    (fence.generation < seen.generation ||
      (fence.generation === seen.generation && fence.revision < seen.revision));
  if (older) fail("fenced", `machine ${machine.id} has seen a newer holder of ${fence.scope}`);
  machine.fences.set(fence.scope, fence);
}

export function observed({ start, state, startedAt }: MemoryInstance): ObservedInstance {
  const { id, namespace, service, slot, kind, revision, operation, address } = start;
  return { id, namespace, service, slot, kind, revision, operation, address, state, startedAt, restarts: 0 };
}
