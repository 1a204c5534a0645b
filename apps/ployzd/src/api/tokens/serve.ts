import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { errorBody } from "@ployz/errors";
import { STREAM_PATH } from "@ployz/primitives/protocol";
import type { Daemon } from "../../daemon/daemon.ts";
import type { Member } from "../../daemon/member-parts.ts";
import { PloyzError } from "../../error-codes.ts";
import { openRate } from "../../invites/rate.ts";
import { localStreams } from "../../streams/open.ts";
import { onUpgrade } from "../../transfer/upgrade.ts";
import { fail, router } from "../router.ts";
import { apiRoutes } from "../routes.ts";
import { credentialsOf, findToken, tokenInvalid } from "./authenticate.ts";
import { type Grant, grantOf } from "./grant.ts";
import { admitStream, guarded } from "./guard.ts";

/** From the first byte to a request with a token that is valid. */
const ADMIT_MS = 10_000;
const MAX_REQUESTS = 100;
/** setTimeout's maximum (2^31 - 1 ms); it then checks again. */
const LONGEST_MS = 2_147_483_647;

export interface TokenApi {
  /** Serves a connection of the join port. `admitted`: a request with a valid token has come. */
  readonly take: (socket: TLSSocket, admitted: () => void) => void;
  /** Calls are refused before. */
  begin(daemon: Daemon): void;
  close(): void;
}

interface Holder {
  grant: Grant | undefined;
  timer: NodeJS.Timeout;
  readonly admitted: () => void;
}

/** The API for holders of tokens, on connections that the join port hands over. */
export function openTokenApi(log: (error: unknown, route: string) => void): TokenApi {
  const open = new Map<Duplex, Holder>();
  const allowed = openRate(() => performance.now());
  let daemon: Daemon | undefined;
  let handle: ReturnType<typeof router> | undefined;
  let running = 0;

  const recordOf = ({ id, secretHash }: Grant["record"]) =>
    daemon
      ?.present()
      ?.tokens.records()
      .find((one) => one.id === id && one.secretHash === secretHash && Date.now() < one.expiresAt);

  /** Ends the connections of tokens that were revoked or have expired. */
  function settle(): void {
    for (const [socket, { grant }] of open)
      if (grant !== undefined && recordOf(grant.record) === undefined) socket.destroy();
  }
  /** The membership whose tokens are followed: it may be another one after a while. */
  let followed: Member | undefined;
  function follow(member: Member): void {
    if (followed === member) return;
    followed = member;
    member.tokens.onChange(settle);
  }

  function admit(socket: Duplex, request: IncomingMessage): Grant {
    const member = daemon?.present();
    if (member === undefined) throw new PloyzError({ code: "not_a_member", message: "starting" });
    follow(member);
    const from = request.socket.remoteAddress ?? "";
    const given = credentialsOf(request);
    const record = given && findToken(member.tokens.records(), given, Date.now());
    const holder = open.get(socket);
    if (record === undefined || holder === undefined) {
      if (!allowed(from))
        throw new PloyzError({ code: "too_many_requests", message: "too many requests from this address" });
      member.audit.write({
        ...{ type: "call", at: new Date().toISOString(), caller: `token:${given?.id ?? "?"}@${from}` },
        ...{ command: `${request.method} ${request.url}`.slice(0, 200), outcome: "token_invalid" },
      });
      throw tokenInvalid();
    }
    // A connection belongs to its first token, so that its end is that of the token.
    if (holder.grant !== undefined && holder.grant.record.id !== record.id) throw tokenInvalid();
    clearTimeout(holder.timer);
    holder.grant = grantOf(record);
    holder.timer = expiry(record.expiresAt);
    holder.admitted();
    return holder.grant;
  }

  const expiry = (at: number): NodeJS.Timeout =>
    setTimeout(settle, Math.min(Math.max(0, at - Date.now()), LONGEST_MS)).unref();

  const server = createServer({ maxHeaderSize: 8_192 }, (request, response) => {
    void answer(request, response);
  });
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const grant = admit(request.socket, request);
      if (running >= MAX_REQUESTS || handle === undefined)
        throw new PloyzError({
          code: "daemon_busy",
          message: `ployzd answers ${MAX_REQUESTS} requests with tokens already`,
          hint: "run the same command again in some seconds",
        });
      running += 1;
      response.once("close", () => (running -= 1));
      await handle(request, response, grant);
    } catch (error) {
      fail(response.setHeader("connection", "close"), error);
    }
  }
  const breakStreams = onUpgrade(server, (request) => {
    const at = daemon;
    if (request.url !== STREAM_PATH || at === undefined) return undefined;
    let grant: Grant;
    try {
      grant = admit(request.socket, request);
    } catch {
      return undefined;
    }
    return localStreams(
      () => at.member().streams,
      (error) => log(error, STREAM_PATH),
      (ask) => admitStream(at, grant, ask),
    );
  });

  return {
    take(socket, admitted) {
      // A request that has come while this process was held up is read first.
      const late = () => setImmediate(() => holder.grant ?? socket.destroy());
      const timer = setTimeout(late, ADMIT_MS).unref();
      const holder: Holder = { grant: undefined, timer, admitted };
      open.set(socket, holder);
      socket.on("error", () => {}); // the caller disconnected
      socket.once("close", () => {
        clearTimeout(holder.timer);
        open.delete(socket);
      });
      server.emit("connection", socket);
    },
    begin(started) {
      daemon = started;
      handle = router(guarded(apiRoutes(started), started), (error, route) => {
        if (errorBody(error).code === "internal") log(error, route);
      });
    },
    close() {
      breakStreams();
      for (const socket of open.keys()) socket.destroy();
    },
  };
}
