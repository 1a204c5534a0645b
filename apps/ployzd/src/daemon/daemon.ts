import { createBackoff, type ServiceHost } from "@ployz/exec";
import type { JoinDocument, MeshInit } from "@ployz/primitives/client";
import type { Logger } from "pino";
import { PloyzError } from "../error-codes.ts";
import { ensureIdentity } from "../mesh/identity.ts";
import { initMesh } from "../mesh/init.ts";
import { joinMesh } from "../mesh/join.ts";
import { leaveMesh, leaveOrder, writeLeaveOrder } from "../mesh/leave.ts";
import { type Membership, readMembership } from "../mesh/membership.ts";
import type { Surroundings } from "../mesh/substrate.ts";
import { serialise } from "../state/files.ts";
import type { Life } from "./callbacks.ts";
import { openMember } from "./member.ts";
import type { Member } from "./member-parts.ts";

/** A daemon, with or without membership in a cluster. */
export interface Daemon extends Surroundings {
  readonly services: ServiceHost;
  readonly startedAt: number;
  readonly log: Logger;
  /** @throws PloyzError `not_a_member`, or the error of the last start as a member. */
  member(): Member;
  present(): Member | undefined;
  /** The error when this machine is a member on disk but could not start as one. The daemon retries. */
  failure(): DownMember | undefined;
  init(request: MeshInit): Promise<Membership>;
  join(document: JoinDocument): Promise<Membership>;
  /** With `operation`: leaves only the membership that this operation made. `left: false`: there was none. `kept`: datasets of volumes. */
  leave(destroy: boolean, operation?: string): Promise<{ left: boolean; kept: readonly string[] }>;
  close(): Promise<void>;
}

export interface DownMember {
  readonly membership: Membership;
  readonly error: unknown;
}

/** After it confirmed the order to leave, this machine waits this long for its removal; then it leaves anyway. */
const ANSWER_MS = 1_000;
const AGAIN_MS = { first: 1_000, longest: 15_000 };

/** `take`: serves connections of holders of tokens. */
export async function openDaemon(around: Surroundings, log: Logger, take: Life["take"]): Promise<Daemon> {
  let member: Member | undefined;
  let failure: DownMember | undefined;
  let ordered: { readonly operation: string; readonly done: Promise<void> } | undefined;
  const closed = new AbortController();
  const inTurn = serialise();

  async function up(membership: Membership): Promise<void> {
    // The daemon was ordered to leave and ended before it had left: do not become a member again.
    if (await leaveOrder(around.paths.leaving)) await leaveMesh(around, membership, false);
    else
      member = await openMember(around, membership, await ensureIdentity(around.paths), {
        log,
        leaving,
        left,
        take,
      });
    failure = undefined;
  }

  /** Resolves once this machine has left on `operation`'s order; `undefined` without such an order. */
  const left = (operation: string) => (ordered?.operation === operation ? ordered.done : undefined);

  async function leaving(operation: string): Promise<void> {
    if (ordered?.operation === operation) return;
    await writeLeaveOrder(around.paths.leaving, operation);
    const told = member?.cutOff(ANSWER_MS) ?? Promise.resolve();
    const done = told
      .then(() => inTurn(() => away(false)))
      .then(({ kept }) => log.info({ operation, kept }, "left the mesh"));
    done.catch((error: unknown) => {
      log.error({ err: error, operation }, "leaving the mesh");
    });
    ordered = { operation, done };
  }

  async function away(destroy: boolean): Promise<{ left: boolean; kept: readonly string[] }> {
    const membership = member?.membership() ?? (await readMembership(around.paths.membership));
    if (membership === undefined) return { left: false, kept: [] };
    await member?.close();
    member = undefined;
    failure = undefined;
    return { left: true, kept: await leaveMesh(around, membership, destroy) };
  }

  const found = await readMembership(around.paths.membership);
  if (found !== undefined) {
    await up(found).catch((error: unknown) => {
      failure = { membership: found, error };
      log.error({ err: error }, "this machine could not start as a member: retrying");
      void comeUp();
    });
  }

  /** Retries with backoff: the causes (Docker that starts after the daemon, a port still in use) send no event. */
  async function comeUp(): Promise<void> {
    const backoff = createBackoff(AGAIN_MS.first, AGAIN_MS.longest);
    while (failure !== undefined) {
      await backoff.pause(closed.signal);
      await inTurn(async () => {
        if (failure === undefined || closed.signal.aborted) return;
        const { membership } = failure;
        await up(membership).catch((error: unknown) => {
          failure = { membership, error };
        });
        if (failure === undefined) log.info("this machine started as a member");
      });
      if (closed.signal.aborted) return;
    }
  }

  /** An interrupted join that the cluster then undid left another seat here. */
  async function leaveUnfinished({ cluster, machine }: JoinDocument): Promise<void> {
    const present = member?.membership() ?? (await readMembership(around.paths.membership));
    const stale =
      present?.cluster.id === cluster.id &&
      present.machine.state === "joining" &&
      present.machine.operation !== machine.operation &&
      present.machine.publicKey === machine.publicKey;
    if (present === undefined || !stale) return;
    await member?.close();
    member = undefined;
    failure = undefined;
    await leaveMesh(around, present, false, "kept");
  }

  return {
    ...around,
    startedAt: Date.now(),
    log,
    present: () => member,
    failure: () => failure,
    member() {
      if (member !== undefined) return member;
      if (failure !== undefined) throw failure.error;
      throw new PloyzError({
        code: "not_a_member",
        message: "this machine is in no cluster",
        hint: "create a cluster: ployzctl mesh init NAME; or run on a member: ployzctl machine add",
      });
    },
    init: (request) =>
      inTurn(async () => {
        const membership = await initMesh(around, request);
        if (member === undefined) await up(membership);
        return membership;
      }),
    join: (document) =>
      inTurn(async () => {
        await leaveUnfinished(document);
        const membership = await joinMesh(around, document);
        if (member === undefined) await up(membership);
        return membership;
      }),
    leave: (destroy, operation) =>
      inTurn(async () => {
        const membership = member?.membership() ?? (await readMembership(around.paths.membership));
        const none = { left: false, kept: [] };
        if (membership === undefined) return none;
        if (operation !== undefined && membership.machine.operation !== operation) return none;
        const running = member?.runner.running() ?? [];
        if (running.length > 0)
          throw new PloyzError({
            code: "scope_busy",
            message: `operation ${running[0]} runs here`,
            hint: `ployzctl ops watch ${running[0]}`,
          });
        if (membership.machine.store && !destroy) await leaveMesh(around, membership, destroy); // refuses before it closes anything
        return away(destroy);
      }),
    async close() {
      closed.abort();
      await inTurn(async () => member?.close());
    },
  };
}
