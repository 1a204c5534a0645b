import type { ContainerSpec, FileSpec, Readiness, SecretRef, VolumeSpec } from "../model/commit.ts";
import type { GatewayView } from "../model/gateway.ts";
import type { MachineObservation, ObservedSnapshot, VolumeIdentity } from "../model/observation.ts";
import type { BackupCommands } from "./backup-commands.ts";
import type { CertificateCommands } from "./certificate-commands.ts";
import type { ImageCommands } from "./image-commands.ts";
import type { NetworkCommands } from "./network-commands.ts";
import type { StandbyCommands, VolumeReceive } from "./standby-commands.ts";
import type { UpdateCommands } from "./update-commands.ts";

/**
 * What one machine does when another's operation asks: the whole protocol between machines. Each changing command is
 * idempotent and carries a fence. `apps/ployzd` implements it over the driver packages, `testing` in memory.
 */
export interface Commands
  extends CertificateCommands,
    UpdateCommands,
    ImageCommands,
    NetworkCommands,
    StandbyCommands,
    BackupCommands {
  // reads
  "machine.observe": { args: { namespaces?: readonly string[]; usage?: boolean }; out: MachineObservation };
  /** Asks the daemon that runs an operation to undo it (before the commit) or to let it finish. */
  "operation.abort": { args: { operation: string }; out: { running: boolean } };
  /** `ending`: it is only undone or finished. */
  "operation.running": { args: { operation: string }; out: { running: boolean; ending?: boolean } };
  /** Whether this machine has the bundle. */
  "bundle.resolve": { args: { digest: string }; out: { sizeBytes: number } | null };
  "instance.logs": { args: { id: string; tail: number }; out: { lines: readonly string[] } };

  // bundles, and images (ImageCommands): content addressed; cached, so there is nothing to undo
  "bundle.ensure": {
    args: { digest: string; sources: readonly string[] };
    out: { transferredBytes: number };
  };

  /** Lets one machine fetch one object once, within a minute, from this machine's transfer port. `null`: it is not here. */
  "transfer.offer": {
    args: TransferOffer;
    /** `bytes`: about how many it will be, where that is known. */
    out: { token: string; bytes?: number; resumes?: true } | null;
  };

  // instances. `reserve` durably takes an address on the machine under the instance's id; a draining machine refuses.
  "instance.reserve": { args: { id: string; memoryBytes?: number }; out: { address: string } };
  "instance.release": { args: { id: string }; out: null };
  /** Fetches what the instance's secrets hold, and keeps it on this machine until the instance is removed. */
  "instance.secrets": { args: { id: string; secrets: Readonly<Record<string, SecretRef>> }; out: null };
  /** `secrets_missing` when `instance.secrets` did not deliver its secrets before. */
  "instance.start": { args: InstanceStart; out: { startedAt: string } };
  /** Waits until ready; fails with `not_ready` or `instance_exited`, with the last log lines in `details.logs`. */
  "instance.ready": {
    args: { id: string; address: string; ports: Readonly<Record<string, number>>; ready: Readiness };
    out: { readyMs: number };
  };
  /** Waits for a job's end: `job_failed` with `details.exitCode` and `details.logs` when it is not 0, `job_timeout` when it lasts longer. `interactive`: its exit code is the caller's matter. */
  "instance.wait": {
    args: { id: string; timeoutMs: number; interactive?: boolean };
    out: { exitCode: number };
  };
  /** Stops without removing (stop-first): SIGTERM, then SIGKILL after the grace. */
  "instance.stop": { args: { id: string; graceMs: number }; out: null };
  /** Starts an instance that `instance.stop` stopped: its undo. */
  "instance.resume": { args: { id: string }; out: null };
  /** Out of gateway and DNS already: wait until its connections at this machine's gateway are done, at most `drainMs`; then stop, remove, release. */
  "instance.retire": { args: { id: string; drainMs: number; graceMs: number }; out: null };
  /** Stops at once, removes, releases the address: the undo of reserve and start. */
  "instance.remove": { args: { id: string }; out: null };

  // volumes. An id names a dataset, the same on every machine that has a copy; the copy's state says its role. A single-writer
  // volume is in use by one running instance at most, and a sealed, incoming or retired copy by none: `instance.start` refuses.
  /** Snapshots of one copy, whatever its state, oldest first; `null`: no copy here. */
  "volume.snapshots": { args: { id: string }; out: { snapshots: readonly ObservedSnapshot[] } | null };
  /** Makes the volume, or brings its properties to the spec. With `create: false` it must be there: `volume_missing`. */
  "volume.ensure": {
    args: VolumeIdentity & { spec: VolumeSpec; operation: string; create: boolean };
    out: { guid: string };
  };
  /** One snapshot of each, atomic over the volumes of a namespace on this machine. Snapshots of that name that are there stay as they are. */
  "volume.snapshot": {
    args: { namespace: string; ids: readonly string[]; snapshot: string };
    out: { guids: Readonly<Record<string, string>> };
  };
  /** Removes snapshots of these names where they are and nothing depends on them: the undo of `volume.snapshot`. */
  "volume.unsnapshot": { args: { ids: readonly string[]; snapshots: readonly string[] }; out: null };
  /** A copy-on-write clone of a snapshot that this machine has (of an active or a retired copy), ready to be used. */
  "volume.clone": {
    args: VolumeIdentity & {
      spec: VolumeSpec;
      operation: string;
      from: { id: string; snapshot: string; guid: string };
    };
    out: { guid: string };
  };
  /** Nothing starts on it from now on, here, whatever happens: `volume_in_use` while something runs on it. Durable. */
  "volume.seal": { args: { id: string; operation: string }; out: null };
  /** Undo of `seal`, only of the same operation's. */
  "volume.unseal": { args: { id: string; operation: string }; out: null };
  /**
   * Makes an incoming copy here hold `snapshot` of `source.id` on `source.machine`: the difference to the newest snapshot that both
   * have, else all of it. A copy here that has diverged is set aside, never overwritten. Progress: `{ done, total? }` in bytes.
   */
  "volume.pull": VolumeReceive;
  /** Turns the incoming copy into the volume, writable, if its newest snapshot has this guid (`transfer_unverified`). */
  "volume.admit": {
    args: VolumeIdentity & { spec: VolumeSpec; operation: string; snapshot: string; guid: string };
    out: { guid: string };
  };
  /** Undo of `ensure`, `clone`, `pull` and `admit`: destroys what this operation made here, and puts a retired copy that it used back. */
  "volume.discard": { args: { id: string; operation: string }; out: null };
  /** After the commit: out of use, unmounted, read-only and kept until the retention lets it go. `volume_in_use` while something runs on it. */
  "volume.retire": { args: { id: string; operation: string }; out: null };
  /** Deletes snapshots and retired copies of the namespace that are beyond this machine's retention. Those with dependents stay. */
  "volume.prune": {
    args: { namespace: string };
    out: {
      destroyed: readonly string[];
      /** Beyond the retention, but something depends on them. */
      blocked: readonly { name: string; dependents: readonly string[] }[];
      freedBytes: number;
    };
  };
  /** The snapshots and copies that `volume.prune` would delete now. Never a snapshot that an operator has named. */
  "volume.expired": {
    args: { namespace: string };
    out: {
      names: readonly string[];
      blocked: readonly { name: string; dependents: readonly string[] }[];
      freedBytes: number;
    };
  };
  /**
   * Requests for a service wait at this machine's gateway from now on, and none goes to the instances that it has, until it has a new
   * one, at most `ms`. 0 ends it: the present instances get them again.
   */
  /** What this machine's gateway serves now. Fails with `follower_unreachable`. */
  "gateway.show": { args: Record<never, never>; out: GatewayView };
  "gateway.hold": { args: { namespace: string; service: string; ms: number }; out: { held: boolean } };

  // followers: resolves when this machine's gateway and DNS serve at least this commit
  "publish.await": {
    args: { namespace: string; revision: number };
    /** `warning`: routes of the namespace that this machine cannot serve, and why. */
    out: { gateway: "applied" | "absent"; dns: "applied" | "absent"; warning?: string };
  };

  // membership: resolves when this machine's peers (and, on store machines, the store's users) follow the facts at this revision
  "membership.await": { args: { revision: number }; out: { peers: number } };
  /**
   * Ordered after the commit that removed this machine: once this is answered, everything of the cluster is removed from it. Durable: it continues
   * on with that after a restart. `kept`: datasets that stay. `scope_busy` while operations run in its daemon.
   */
  "machine.leave": { args: { operation: string }; out: { kept: readonly string[] } };
  /**
   * Resolves when a handshake with every named peer is younger than three minutes; the missing ones in `details.missing` of `no_handshake`.
   * `path_too_narrow` where packets as long as the tunnel's MTU, or as `mtu` when that is less, do not reach one of them. Out: its MTU.
   */
  "membership.handshake": {
    args: { machines: readonly string[]; timeoutMs: number; mtu?: number };
    out: { handshakes: Readonly<Record<string, number>>; mtu?: number };
  };
  "machine.rtt": {
    args: { machines: readonly string[] };
    out: { rttMs: Readonly<Record<string, number | null>> };
  };
}

/** What one machine offers another to pull. */
export type TransferOffer =
  | { readonly kind: "image" | "bundle"; readonly digest: string; readonly machine: string }
  /** A part of an image, by its digest, from a byte on. `growing`: also one that is only on its way there, as it arrives. */
  | {
      readonly kind: "blob";
      readonly digest: string;
      readonly offset: number;
      readonly machine: string;
      readonly growing?: true;
    }
  /** `digest`: the build. */
  | { readonly kind: "payload"; readonly digest: string; readonly machine: string }
  | {
      readonly kind: "volume";
      readonly id: string;
      readonly snapshot: string;
      /** A snapshot that both have: only what has changed since. */
      readonly base?: string;
      /** Resumes a broken transfer where the sender can: it then says `resumes`. */
      readonly resumeToken?: string;
      readonly machine: string;
    };

/** All that a machine needs to start an instance. */
export type InstanceStart = {
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  readonly slot: number;
  readonly revision: string;
  readonly operation: string;
  readonly address: string;
  readonly kind: "service" | "job";
  readonly image?: { readonly ref: string; readonly digest: string };
  readonly bundle?: { readonly digest: string };
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Secrets that go into the environment, by variable, and into files, by path. */
  readonly secrets?: Readonly<Record<string, SecretRef>>;
  readonly files?: Readonly<Record<string, FileSpec>>;
  readonly container?: ContainerSpec;
  readonly user?: string;
  readonly resources?: { readonly cpus?: number; readonly memoryBytes?: number; readonly pids?: number };
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly stopGraceMs: number;
  /** Volumes of this machine, by id, and where they are mounted in the instance. */
  readonly volumes?: readonly InstanceVolume[];
  /** It waits for the program of a stream, and ends with it: within a minute, if none comes. */
  readonly interactive?: boolean;
};

/** A volume of an instance, and where it is mounted. */
export type InstanceVolume = {
  readonly id: string;
  readonly target: string;
  readonly scope: VolumeSpec["scope"];
};

/** Names of the commands. */
export type CommandName = keyof Commands;
