/** The machine's own Ployz. A build is named by its hash; several lie side by side, and one is the current one. */
export interface UpdateCommands {
  "update.look": { args: Record<never, never>; out: InstalledBuilds };
  /** Has the build lie beside the others, fetched from `source` where it is missing. Progress: `{ done, total? }` in bytes. */
  "payload.ensure": {
    args: { build: string; source: string; operation: string };
    out: { transferredBytes: number };
  };
  /** Undo of `payload.ensure`: removes the build if this operation brought it. Never the current one. */
  "payload.remove": { args: { build: string; operation: string }; out: null };
  /**
   * Begins to make this build the one that runs: the daemon that answers is replaced by it, so that the answer says nothing of the
   * outcome, and `update.await` has to be asked. If the new daemon does not come up as a member, the machine goes back by itself.
   * `machine_busy` while the daemon runs operations, unless it goes back.
   */
  "update.switch": { args: { build: string; back: boolean; operation: string }; out: null };
  /** Resolves when no switch is under way and this build runs; `update_reverted` when another one does. */
  "update.await": {
    args: { build: string };
    /** What ran before the switch and had to be started again since. */
    out: { version: string; disturbed: readonly { readonly what: string; readonly why: string }[] };
  };
}

/** Builds of Ployz on one machine. */
export type InstalledBuilds = {
  readonly version: string;
  /** What the daemon that answers runs. */
  readonly build: string;
  /** What it would run after a restart; absent: it was not installed by install.sh. */
  readonly current?: string;
  readonly arch: string;
  /** What has to have signed a build to be installed there, as in `Releases`. */
  readonly releaseKey?: string;
  /** Where builds are installed. */
  readonly diskFreeBytes: number;
  /** Operations that this daemon runs. */
  readonly running: readonly string[];
};
