import type { Agent } from "node:http";
import type { TLSSocket } from "node:tls";
import {
  decodeToken,
  dialJoinPort,
  MAX_TOKEN,
  openClient,
  TOKEN_PROTOCOL,
  type TokenText,
} from "@ployz/primitives/client";
import { PloyzError } from "../error-codes.ts";
import type { RemoteClient } from "./client.ts";

/** A machine that does not take a connection within this counts as down. Milliseconds. */
const DIAL_MS = 5_000;
const NEW = "create another one on a member: ployzctl token create";

/** @throws PloyzError `invalid_input`, which does not contain the text. `where`: where it was read. */
export function needToken(where: string, text: string): TokenText {
  const token = text.length > 2 * MAX_TOKEN ? undefined : decodeToken(text);
  if (token !== undefined) return token;
  const begun = text.trim().startsWith("ployz-token-");
  throw new PloyzError({
    code: "invalid_input",
    message: `${where}: ${begun ? "the token is incomplete, or of another version" : "this is not a token"}`,
    hint: "use the line that ployzctl token create prints: it starts with ployz-token-",
  });
}

/**
 * The API of a cluster through a token: TLS to the join port of the first machine that proves the key which the token pins. Nothing is sent
 * before. @throws PloyzError `token_expired`, `token_wrong_key`, `daemon_unreachable`.
 */
export async function openTokenClient(token: TokenText, signal: AbortSignal): Promise<RemoteClient> {
  if (Date.now() >= token.expiresAt)
    throw new PloyzError({
      code: "token_expired",
      message: `token ${token.name} expired at ${new Date(token.expiresAt).toISOString()}`,
      hint: NEW,
    });
  const { socket: first, dial } = await reach(token, signal);
  const open = new Set<TLSSocket>();
  const keep = (socket: TLSSocket): TLSSocket => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.on("error", () => {}); // the request reports it
    return socket;
  };
  let spare: TLSSocket | undefined = keep(first);
  const { Agent: HttpAgent } = await import("node:http");
  const agent: Agent = new HttpAgent({ keepAlive: true });
  agent.createConnection = (_options, done) => {
    const ready = spare;
    spare = undefined;
    if (ready !== undefined) return ready;
    dial().then(
      (socket) => done?.(null, keep(socket)),
      (error: Error) => done?.(error, first),
    );
    return undefined;
  };
  const headers = { authorization: `Bearer ${token.id}.${token.secret}` };
  const name = `token ${token.name}`;
  return {
    client: openClient({ connect: () => first, agent, name, headers }),
    agent: () =>
      Promise.reject(
        new PloyzError({
          code: "ssh_identity_missing",
          message: "a token forwards no SSH agent",
          hint: "name the private key: --identity PATH",
        }),
      ),
    close() {
      agent.destroy();
      for (const socket of open) socket.destroy();
    },
  };
}

type Dial = () => Promise<TLSSocket>;

async function reach(token: TokenText, signal: AbortSignal): Promise<{ socket: TLSSocket; dial: Dial }> {
  const silent: string[] = [];
  const others: string[] = [];
  for (const { pin, endpoints } of token.machines)
    for (const endpoint of endpoints) {
      const dial = () => dialPinned(endpoint, pin, signal);
      try {
        return { socket: await dial(), dial };
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const wrong = error instanceof PloyzError && error.code === "token_wrong_key";
        (wrong ? others : silent).push(endpoint);
      }
    }
  if (others.length > 0) throw wrongKey(others.join(", "));
  throw new PloyzError({
    code: "daemon_unreachable",
    message: `no machine of token ${token.name} answers at ${silent.join(", ")} (TCP)`,
    hint: "open join_port of these machines to this computer, and check that ployzd runs there; the port is closed while the cluster has no valid token",
  });
}

const wrongKey = (where: string) =>
  new PloyzError({
    code: "token_wrong_key",
    message: `the machine at ${where} is another than when the token was created`,
    hint: `${NEW}; if it happens again, someone may be intercepting the connection`,
  });

async function dialPinned(endpoint: string, pin: string, signal: AbortSignal): Promise<TLSSocket> {
  const dialled = await dialJoinPort(endpoint, {
    connecting: AbortSignal.timeout(DIAL_MS),
    signal,
    protocol: TOKEN_PROTOCOL,
  });
  const { socket } = dialled;
  const takesTokens = socket.alpnProtocol === TOKEN_PROTOCOL;
  if (dialled.pin === pin && takesTokens) return socket;
  socket.destroy();
  throw dialled.pin === pin ? new Error("the machine takes no tokens") : wrongKey(endpoint);
}
