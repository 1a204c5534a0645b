import { INVITE_GRACE_MS, type Invite } from "@ployz/primitives/protocol";
import { serialise } from "../state/files.ts";
import type { JoinServer } from "./server.ts";

/** A machine's join port: open while this machine's invites, or questions about them, are valid; otherwise closed. */
export interface JoinPort {
  /** Opens it for as long as these need it. Ignores invites of other machines. */
  expect(invites: readonly Invite[]): Promise<void>;
  /** Opens it until then for holders of tokens, instead of until the last time that this was called with. */
  serveUntil(at: number): Promise<void>;
  close(): Promise<void>;
}

export interface JoinPortOptions {
  readonly self: string;
  now(): number;
  open(): Promise<JoinServer>;
  log(error: unknown): void;
}

/** setTimeout's maximum (2^31 - 1 ms); it then checks again. */
const LONGEST_MS = 2_147_483_647;

export function openJoinPort(options: JoinPortOptions): JoinPort {
  const inTurn = serialise();
  let until = 0;
  let tokensUntil = 0;
  let server: JoinServer | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const settle = (): Promise<void> =>
    inTurn(async () => {
      clearTimeout(timer);
      const rest = closed ? 0 : Math.max(until, tokensUntil) - options.now();
      if (rest > 0) {
        server ??= await options.open();
        timer = setTimeout(() => void settle().catch(options.log), Math.min(rest, LONGEST_MS)).unref();
      } else {
        await server?.close();
        server = undefined;
      }
    });

  return {
    // Beyond the expiry, so that a late machine, or one that lost its answer, gets a meaningful reply.
    expect(invites) {
      const own = invites.filter(({ inviter }) => inviter === options.self);
      until = Math.max(until, ...own.map(({ expiresAt }) => expiresAt + INVITE_GRACE_MS));
      return settle();
    },
    serveUntil(at) {
      tokensUntil = at;
      return settle();
    },
    close() {
      closed = true;
      return settle();
    },
  };
}
