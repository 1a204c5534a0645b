import type { Json } from "../model/json.ts";

/** A machine's SSH address. */
export type RemoteTarget = { readonly user: string; readonly host: string; readonly port: number };

/** What a fresh look at a machine over SSH finds. */
export type RemoteFacts = {
  /** `SHA256:…` of the host key that answered. */
  readonly hostKey: string;
  readonly hostname: string;
  readonly os: string;
  readonly arch: "x64" | "arm64" | "other";
  readonly root: boolean;
  readonly systemd: boolean;
  /** Of the fullest file system that Ployz writes to. */
  readonly diskFreeBytes: number;
  /** Where that one is mounted. */
  readonly diskAt?: string;
  /** Packages that Ployz needs and the machine lacks, by Debian name. */
  readonly missingPackages: readonly string[];
  /** `apt`: they can be installed there. */
  readonly packageManager: "apt" | "none";
  readonly dockerRunning: boolean;
  /** What runs there already. */
  readonly ployz?: {
    readonly version: string;
    readonly build: string;
    readonly cluster?: string;
    readonly machine?: string;
    readonly joinedBy?: string;
  };
  /** Of `/etc/ployz/release.pub`, as in `Releases`. */
  readonly releaseKey?: string;
  /** Ports Ployz will listen on that something else has: `udp/51820 (named)`. */
  readonly portsTaken: readonly string[];
  /** Local networks, to refuse an overlap with the cluster's range. */
  readonly routes: readonly string[];
  /** Of its clock, against that of the daemon that looked. Absent: less than a minute. */
  readonly clockOffMs?: number;
};

/**
 * One machine over SSH. Filled by ployzd (ssh2) per request, with the operator's credentials closed over: they are never part of an
 * operation's input, plan or journal. Errors: `ssh_unreachable`, `ssh_auth_failed`, `ssh_host_key_unknown`
 * (`details.fingerprint`), `ssh_host_key_changed`, `ssh_host_key_revoked`, `remote_failed` (`details.stderr`).
 */
export interface Remote {
  /** Reads the machine: system, packages, Ployz. */
  facts(target: RemoteTarget, signal: AbortSignal): Promise<RemoteFacts>;
  /** From the target's own package sources. Waits some minutes for another apt or dpkg there, and says so by `progress`. */
  installPackages(
    target: RemoteTarget,
    packages: readonly string[],
    progress: (note: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Uploads this machine's own payload if the target has another build, and installs it. `installed: false`: it was there. */
  installPayload(
    target: RemoteTarget,
    operation: string,
    progress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<{ installed: boolean }>;
  /** Removes the payload if `operation` installed it. */
  removePayload(target: RemoteTarget, operation: string, signal: AbortSignal): Promise<void>;
  /** Runs `ployzctl --json ARGS` there and parses its document; an error document is thrown as a PloyzError. */
  ployzctl(
    target: RemoteTarget,
    args: readonly string[],
    stdin: string | undefined,
    signal: AbortSignal,
  ): Promise<Json>;
}
