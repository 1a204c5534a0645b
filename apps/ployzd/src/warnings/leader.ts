import type { AlertState } from "@ployz/primitives/protocol";
import { type Warning, warning } from "./codes.ts";

const RECENT_MS = 5 * 60_000;

/** From the state of alerts: without alerts no machine follows the leader. Pure. */
export function leaderWarnings(state: AlertState | undefined, now: number): readonly Warning[] {
  const { machine, at = "", before } = state?.leader ?? {};
  if (machine === undefined || before === undefined || now - Date.parse(at) > RECENT_MS) return [];
  return [
    warning("store_leader_changed", "", {
      message: `the store's leader changed from ${before} to ${machine} at ${at}`,
      hint: `expected after a restart of ${before}; else check it: ployzctl store status`,
    }),
  ];
}
