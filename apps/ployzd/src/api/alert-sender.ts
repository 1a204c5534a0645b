import type { ClusterStatus } from "@ployz/primitives/client";
import type { Seen, Sender } from "../alerts/sender.ts";
import { type Votes, verdict } from "../alerts/votes.ts";

import type { Member } from "../daemon/member-parts.ts";
import { isAlert } from "../warnings/codes.ts";
import { clusterStatus } from "./status.ts";

/** A member as the sender of its cluster's alerts. */
export function senderOf(member: Member): Sender {
  const { cluster, machine } = member.membership();
  const { store, secrets, alerts, authority } = member;
  return {
    ...{ self: machine.id, cluster: cluster.name, store, secrets, alerts: alerts.records },
    members: () =>
      member
        .membership()
        .machines.filter(({ state }) => state !== "joining")
        .map(({ id }) => id),
    look: (signal) => look(member, signal),
    storeStatus: authority.status,
  };
}

/** The warnings of `status` that alerts send, once a majority confirms which machines do not answer. */
async function look(member: Member, signal: AbortSignal): Promise<Seen> {
  const status = await clusterStatus(member, signal);
  if (status.store.state !== "connected") return "too-little";
  if (!(await confirmed(member, status, signal))) return "partial";
  const leader = await leaderOf(member);
  return {
    present: status.warnings
      .filter(isAlert)
      .map(({ code, about, message, hint }) => ({ code, about, message, hint })),
    ...(status.machines.some(({ reachable }) => !reachable) && { blind: true as const }),
    ...(leader !== undefined && { leader }),
  };
}

const VOTE_MS = 6_000;

/** Whether no machine is silent for this one alone. */
async function confirmed(member: Member, { machines, self = "" }: ClusterStatus, signal: AbortSignal) {
  const suspects = machines.flatMap(({ reachable, record }) => (reachable ? [] : [record.id]));
  if (suspects.length === 0) return true;
  const ballots = await Promise.all(
    machines
      .filter(({ reachable }) => reachable)
      .map(async ({ record: { id } }) => {
        const options = { timeoutMs: VOTE_MS, signal };
        const answer = await member.machines
          .call(id, "machine.rtt", { machines: suspects }, options)
          .catch(() => undefined);
        return [id, answer?.rttMs] as const;
      }),
  );
  return suspects.every((suspect) => {
    const votes: Votes = Object.fromEntries(
      ballots.flatMap(([voter, rtt]) => (rtt === undefined ? [] : [[voter, rtt[suspect] ?? null]])),
    );
    return verdict(votes, self) !== "here";
  });
}

/** Of the commits, where more than one machine holds the store. */
async function leaderOf({ authority, membership }: Member): Promise<string | undefined> {
  if (membership().machines.filter(({ store }) => store).length < 2) return undefined;
  const { streams } = await authority.status();
  return streams[0]?.leader;
}
