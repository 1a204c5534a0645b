import { errorBody } from "@ployz/errors";
import { pause } from "@ployz/exec";
import type { Logger } from "pino";
import type { VolumeDeps } from "../participant/volumes/deps.ts";
import { keepMounts } from "../participant/volumes/keep.ts";
import type { Membership } from "./membership.ts";

/** What a look at this machine's own setup found. */
export interface Kept {
  /** Differences that are put right. */
  readonly repaired: readonly string[];
  /** Those that are not, and why. */
  readonly remaining: readonly string[];
}

/** Something that was put right, and how often since the daemon started. */
export interface Drift {
  readonly what: string;
  readonly times: number;
  /** RFC 3339, of the last time. */
  readonly at: string;
}

/** Keeps tunnel, routes, bridge, forwarding, packet filter, mounts of volumes and followers of this machine as the daemon made them. */
export interface Upkeep {
  /** Looks now. */
  look(): Promise<Kept>;
  /** Most frequent first. */
  drift(): readonly Drift[];
  readonly ended: Promise<void>;
}

/** Another program's change is gone within a minute. */
const LOOK_MS = 20_000;

/** Puts this machine's own settings back where another program changed them. It decides nothing about the cluster. */
export function openUpkeep(options: {
  keep(): Promise<Kept>;
  readonly signal: AbortSignal;
  readonly everyMs?: number;
  now(): number;
  log(kept: Kept): void;
}): Upkeep {
  const { signal, everyMs = LOOK_MS } = options;
  const seen = new Map<string, Drift>();
  let running: Promise<Kept> | undefined;
  let last = "";

  async function once(): Promise<Kept> {
    const kept = await options.keep().catch((error: unknown): Kept => {
      return { repaired: [], remaining: [errorBody(error).message] };
    });
    const at = new Date(options.now()).toISOString();
    for (const what of kept.repaired) seen.set(what, { what, times: (seen.get(what)?.times ?? 0) + 1, at });
    const remaining = kept.remaining.join();
    // A lasting fault is logged once.
    if (kept.repaired.length > 0 || (remaining !== "" && remaining !== last)) options.log(kept);
    last = remaining;
    return kept;
  }
  const look = () => {
    running ??= once().finally(() => {
      running = undefined;
    });
    return running;
  };
  async function run(): Promise<void> {
    while (!signal.aborted) {
      await pause(everyMs, signal);
      if (!signal.aborted) await look();
    }
  }
  return {
    look,
    drift: () => [...seen.values()].sort((a, b) => b.times - a.times),
    ended: run().then(async () => void (await running)),
  };
}

/** The same for the substrate of a member, and for the mounts of its volumes. */
export const keepSubstrate = (
  parts: {
    readonly substrate: { keep(membership: Membership): Promise<Kept> };
    readonly volumes: VolumeDeps;
  },
  membership: () => Membership,
  signal: AbortSignal,
  log: Pick<Logger, "warn">,
): Upkeep =>
  openUpkeep({
    async keep() {
      const kept = await Promise.all([parts.substrate.keep(membership()), keepMounts(parts.volumes)]);
      return {
        repaired: kept.flatMap(({ repaired }) => repaired),
        remaining: kept.flatMap(({ remaining }) => remaining),
      };
    },
    ...{ signal, now: Date.now, log: (kept) => log.warn(kept, "substrate") },
  });
