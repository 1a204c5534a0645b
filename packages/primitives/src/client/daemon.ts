import type { ErrorBody } from "@ployz/errors";

export type DaemonStatus = {
  readonly kind: "daemon";
  readonly running: true;
  readonly version: string;
  /** The configuration that it runs with, and the SHA-256 (hex) of the text that it read. */
  readonly config: { readonly path: string; readonly digest: string };
  readonly pid: number;
  readonly uptimeMs: number;
  readonly cluster?: string;
  readonly machine?: string;
  /** Why this member could not come up; the daemon tries again. */
  readonly down?: ErrorBody;
  readonly memoryBytes: number;
  readonly serviceHost: "systemd" | "s6";
  readonly services: readonly { readonly name: string; readonly state: string; readonly pid?: number }[];
  readonly adoption: AdoptionReport;
};
export type AdoptionReport = {
  readonly at: string;
  readonly adopted: readonly string[];
  readonly recreated: readonly { readonly what: string; readonly why: string }[];
  readonly removed: readonly { readonly what: string; readonly why: string }[];
  readonly failed: readonly { readonly what: string; readonly error: ErrorBody }[];
};

/** Faults of this machine's setup: put right, and remaining. */
export type DaemonKept = {
  readonly kind: "kept";
  readonly repaired: readonly string[];
  readonly remaining: readonly string[];
};
