import type { DaemonKept } from "@ployz/primitives/client";
import type { Daemon } from "../daemon/daemon.ts";
import { askFollower } from "../host/follower-client.ts";
import { servedFinding } from "./findings.ts";

/** For `daemon install`: puts right what the daemon looks at by itself, and restarts a follower that does not serve the last commits. */
export async function keepMachine(daemon: Daemon, signal: AbortSignal): Promise<DaemonKept> {
  const member = daemon.present();
  if (member === undefined) return { kind: "kept", repaired: [], remaining: [] };
  const { repaired, remaining } = await member.upkeep.look();
  const { gatewaySocket, dnsSocket } = daemon.paths;
  const restarted: string[] = [];
  for (const [service, socket] of [
    ["ployz-gateway", gatewaySocket],
    ["ployz-dns", dnsSocket],
  ] as const) {
    const asked = AbortSignal.any([signal, AbortSignal.timeout(5_000)]);
    const state = await askFollower(socket, undefined, asked).catch(() => undefined);
    // One that does not answer may be starting.
    if (state === undefined || !servedFinding(state, member.heads()).found.startsWith("serves older"))
      continue;
    await daemon.services.restart(service);
    restarted.push(`${service}: restarted, because it served older commits`);
  }
  return { kind: "kept", repaired: [...repaired, ...restarted], remaining };
}
