import type { Readiness } from "../model/commit.ts";

/**
 * What one machine does when another's operation asks: the whole protocol between machines. Each changing command is
 * idempotent and carries a fence. `apps/ployzd` implements it over the driver packages, `testing` in memory.
 */
export interface Commands {
  // reads
  "machine.observe": { args: { namespaces?: readonly string[] }; out: MachineObservation };
  /** Asks the daemon that runs an operation to undo it (before the commit) or to let it finish. */
  "operation.abort": { args: { operation: string }; out: { running: boolean } };
  "operation.running": { args: { operation: string }; out: { running: boolean } };
  "image.resolve": {
    args: { ref: string; pull: "missing" | "always" | "never" };
    out: { digest: string; sizeBytes: number } | null;
  };
  /** Whether this machine has the bundle. */
  "bundle.resolve": { args: { digest: string }; out: { sizeBytes: number } | null };
  "instance.logs": { args: { id: string; tail: number }; out: { lines: readonly string[] } };

  // images and bundles: content addressed; cached, so there is nothing to undo
  "image.ensure": {
    args: { ref: string; digest: string; sources: readonly string[] };
    out: { transferredBytes: number };
  };
  "bundle.ensure": {
    args: { digest: string; sources: readonly string[] };
    out: { transferredBytes: number };
  };

  /** Lets one machine fetch one object once, within a minute, from this machine's transfer port. `null`: it is not here. */
  "transfer.offer": {
    args: { kind: "image" | "bundle"; digest: string; machine: string };
    out: { token: string } | null;
  };

  // instances. `reserve` durably takes an address on the machine under the instance's id; a draining machine refuses.
  "instance.reserve": { args: { id: string; memoryBytes?: number }; out: { address: string } };
  "instance.release": { args: { id: string }; out: null };
  "instance.start": { args: InstanceStart; out: { startedAt: string } };
  /** Waits until ready; fails with `not_ready` or `instance_exited`, with the last log lines in `details.logs`. */
  "instance.ready": {
    args: { id: string; address: string; ports: Readonly<Record<string, number>>; ready: Readiness };
    out: { readyMs: number };
  };
  /** Waits for a job's end: `job_failed` with `details.exitCode` and `details.logs` when it is not 0, `job_timeout` when it lasts longer. */
  "instance.wait": { args: { id: string; timeoutMs: number }; out: { exitCode: number } };
  /** Stops without removing (stop-first): SIGTERM, then SIGKILL after the grace. */
  "instance.stop": { args: { id: string; graceMs: number }; out: null };
  /** Starts an instance that `instance.stop` stopped: its undo. */
  "instance.resume": { args: { id: string }; out: null };
  /** Out of gateway and DNS already: wait until its connections at this machine's gateway are done, at most `drainMs`; then stop, remove, release. */
  "instance.retire": { args: { id: string; drainMs: number; graceMs: number }; out: null };
  /** Stops at once, removes, releases the address: the undo of reserve and start. */
  "instance.remove": { args: { id: string }; out: null };

  // followers: resolves when this machine's gateway and DNS serve at least this commit
  "publish.await": {
    args: { namespace: string; revision: number };
    /** `warning`: routes of the namespace that this machine cannot serve, and why. */
    out: { gateway: "applied" | "absent"; dns: "applied" | "absent"; warning?: string };
  };

  // membership: resolves when this machine's peers (and, on store machines, the store's users) follow the facts at this revision
  "membership.await": { args: { revision: number }; out: { peers: number } };
  /** Resolves when a handshake with every named peer is younger than three minutes; the missing ones in `details.missing` of `no_handshake`. */
  "membership.handshake": {
    args: { machines: readonly string[]; timeoutMs: number };
    out: { handshakes: Readonly<Record<string, number>> };
  };
  "machine.rtt": {
    args: { machines: readonly string[] };
    out: { rttMs: Readonly<Record<string, number | null>> };
  };
}

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
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly resources?: { readonly cpus?: number; readonly memoryBytes?: number };
  readonly stopGraceMs: number;
};

/** Live, looked at when a decision needs it; never stored. */
export type MachineObservation = {
  readonly machine: string;
  readonly version: string;
  readonly runtime: "docker" | "process";
  readonly runtimeVersion: string;
  readonly arch: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly memoryFreeBytes: number;
  readonly diskFreeBytes: number;
  readonly draining: boolean;
  readonly volumes: boolean;
  readonly load1: number;
  /** TCP ports that somebody listens on where the gateway would, the gateway itself included. */
  readonly tcpPorts?: readonly number[];
  readonly instances: readonly ObservedInstance[];
  readonly problems: readonly string[];
};

export type ObservedInstance = {
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  readonly slot: number;
  readonly kind: "service" | "job";
  readonly revision: string;
  readonly operation: string;
  readonly state: "created" | "running" | "exited";
  readonly address: string;
  readonly startedAt?: string;
  readonly restarts?: number;
  readonly pid?: number;
  readonly exitCode?: number;
  readonly memoryBytes?: number;
  readonly cpuNanos?: number;
};

export type CommandName = keyof Commands;
