import { PloyzError } from "../error-codes.ts";
import { type Invite, refuseInvite } from "../model/invite.ts";
import type { Entry } from "../ports/store.ts";
import type { MachineJoinPorts } from "./observe.ts";

/** Who takes the invite, as the step knows it. */
export type Claim = { readonly invite: string; readonly publicKey: string; readonly machine: string };

/** Takes the invite under CAS: of two machines with one token, one gets it and the other learns which that was. */
export async function claimInvite(claim: Claim, operation: string, ports: MachineJoinPorts): Promise<null> {
  const { facts } = ports.store;
  const key = `invite.${claim.invite}` as const;
  const now = await ports.now();
  const found = await facts.get(key);
  if (isOurs(found, operation)) return null;
  const invite = free(found, claim, now);
  const { publicKey, machine } = claim;
  const value: Invite = { ...invite, used: { machine, publicKey, operation, at: now } };
  const written = await facts.put(key, value, found?.revision ?? 0);
  if (written.ok || isOurs(written.current, operation)) return null;
  free(written.current, claim, now);
  throw changed(claim);
}

/** Gives it back, to be used until it expires. */
export async function unclaimInvite(
  { invite: id }: Claim,
  operation: string,
  { store }: Pick<MachineJoinPorts, "store">,
): Promise<void> {
  const found = await store.facts.get(`invite.${id}`);
  if (found === undefined || !isOurs(found, operation)) return;
  const { used: _, ...open } = found.value;
  const written = await store.facts.put(found.key, open, found.revision);
  if (written.ok || !isOurs(written.current, operation)) return;
  throw new PloyzError({
    code: "conflict",
    message: `invite ${id} changed while it was given back`,
    hint: "run the same command again",
  });
}

/** The invite, if it is free. @throws PloyzError why it is not. */
function free(entry: Entry<Invite> | undefined, claim: Claim, now: number): Invite {
  const invite = entry?.value;
  const refusal = refuseInvite(invite, { publicKey: claim.publicKey, now });
  if (refusal !== undefined) throw new PloyzError(refusal);
  // The same machine by another operation: a newer one has taken over from this, and must not lose it to one that woke up late.
  if (invite === undefined || invite.used !== undefined) throw changed(claim);
  return invite;
}

const changed = ({ invite }: Claim) =>
  new PloyzError({
    code: "conflict",
    message: `invite ${invite} changed`,
    hint: "run the same command again",
  });

const isOurs = (entry: Entry<Invite> | undefined, operation: string): boolean =>
  entry?.value.used?.operation === operation;
