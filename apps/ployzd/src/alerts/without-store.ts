import type { Clock } from "@ployz/primitives";
import type { StoreStatus } from "@ployz/primitives/client";
import type { AlertCondition, AlertRecord } from "@ployz/primitives/protocol";
import { warning } from "../warnings/codes.ts";
import type { Message } from "./message.ts";
import type { Sender } from "./sender.ts";

/** A shorter silence of the store is an election or an update. */
export const AWAY_MS = 30_000;

/** The same, when no other machine confirms it: this one may be slow, or cut off. */
const ALONE_MS = 90_000;

/** The store does not answer this machine. */
export interface Away {
  /** Epoch milliseconds. */
  readonly since: number;
  /** Absent: this machine has sent nothing about it. */
  sent?: AlertCondition;
  /** Machines that answered the last look; absent before the first. */
  answered?: readonly string[];
  readonly took: Set<string>;
}

/**
 * Whether this machine sends that the store is away: none of the machines that answer it has a lower name. So each part of a cluster that
 * is split sends once. A busy machine may miss one look: it counts as silent after two (`before`: who answered the last one; absent: all).
 * Not while the store moves. Later, when enough of the store's servers run, or no other machine answers. Pure.
 */
export function sendsWithoutStore(
  self: string,
  members: readonly string[],
  {
    state,
    views,
    before = members,
  }: Pick<StoreStatus, "state"> & {
    readonly views: readonly { readonly machine: string }[];
    readonly before?: readonly string[] | undefined;
  },
  awayMs: number,
): boolean {
  if (state === "open" || state === "fenced") return false;
  const confirmed = state === "no-quorum" && views.some(({ machine }) => machine !== self);
  if (awayMs < (confirmed ? AWAY_MS : ALONE_MS)) return false;
  const present = new Set([self, ...before, ...views.map(({ machine }) => machine)]);
  const answering = members.filter((id) => present.has(id));
  const byName = new Intl.Collator("en", { numeric: true }).compare; // m2 before m10
  return answering.sort(byName)[0] === self;
}

/** Sends that the store is away, without the store: by a rank that each machine computes, and targets that it has in memory. */
export async function sendWithoutStore(
  sender: Sender,
  away: Away,
  send: (record: AlertRecord, message: Message) => Promise<void>,
  { clock, newId }: { readonly clock: Pick<Clock, "now">; newId(): string },
): Promise<void> {
  const status = await sender.storeStatus();
  const before = away.answered;
  away.answered = status.views.map(({ machine }) => machine);
  if (!sendsWithoutStore(sender.self, sender.members(), { ...status, before }, clock.now() - away.since))
    return;
  const { up, size, needed } = status.quorum;
  const down = status.machines.filter(({ state }) => state === "down").map(({ id }) => id);
  const condition: AlertCondition = away.sent ?? {
    ...warning("store_unreachable", "", {
      message: `the store does not answer ${sender.self}: ${up} of ${size} store machines answer, ${needed} are needed${down.length > 0 ? `; down: ${down.join(", ")}` : ""}`,
      hint: "start the store's machines; see ployzctl store status",
    }),
    since: new Date(away.since).toISOString(),
  };
  away.sent = condition;
  const message = { id: newId(), at: new Date(clock.now()).toISOString(), begun: [condition], ended: [] };
  await Promise.all(
    sender.alerts().map(async (record) => {
      if (away.took.has(record.name)) return;
      await send(record, { ...message, cluster: sender.cluster }).then(
        () => away.took.add(record.name),
        () => undefined, // the next look tries again
      );
    }),
  );
}
