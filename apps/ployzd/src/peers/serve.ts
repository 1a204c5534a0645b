import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { errorBody } from "@ployz/errors";
import { isSignedBy, signAs } from "@ployz/nats-store";
import { shaped } from "@ployz/primitives/host";
import Type from "typebox";
import { readText } from "../body.ts";
import { PloyzError } from "../error-codes.ts";
import { ARGS, isPeerCommand, type PeerCommand, type PeerCommands } from "./commands.ts";
import { MAX_BODY, type Peer, SIGN_OF_LIFE_MS, signedText } from "./protocol.ts";

/** Handlers of calls between daemons, by name. `from` is the caller. */
export type PeerHandlers = {
  readonly [N in PeerCommand]: (
    args: PeerCommands[N]["args"],
    from: string,
  ) => Promise<PeerCommands[N]["out"]>;
};

export interface PeerServerOptions {
  readonly cluster: string;
  readonly self: string;
  readonly nkeySeed: string;
  /** A member of this cluster. */
  member(id: string): { readonly address: string; readonly nkey: string } | undefined;
  handlers(): Partial<PeerHandlers>;
  log(error: unknown, command: string): void;
}

const CHALLENGE_MS = 30_000;
/** No cluster has more callers at once; drops the oldest. */
const MOST_CHALLENGES = 2_000;

/** The handler of all requests on the transfer port except transfers. See protocol.ts. */
export function peerServer(options: PeerServerOptions) {
  const challenges = new Map<string, number>();

  function challenge(): string {
    for (const [old, until] of challenges)
      if (until < Date.now() || challenges.size >= MOST_CHALLENGES) challenges.delete(old);
      else break; // in the order in which they were made
    const made = randomBytes(32).toString("hex");
    challenges.set(made, Date.now() + CHALLENGE_MS);
    return made;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const from = text(request.headers["x-ployz-machine"]);
    const member = options.member(from);
    const address = request.socket.remoteAddress?.replace(/^::ffff:/, "");
    const body = await readText(request, MAX_BODY);
    const given = text(request.headers["x-ployz-challenge"]);
    const fresh = (challenges.get(given) ?? 0) >= Date.now();
    challenges.delete(given);
    const peer: Peer = { cluster: options.cluster, from, to: options.self, challenge: given };
    const signature = text(request.headers["x-ployz-signature"]);
    if (
      !fresh ||
      member === undefined ||
      (address !== member.address && from !== options.self) ||
      !isSignedBy(member.nkey, signedText("ask", peer, body), signature)
    ) {
      response.writeHead(403).end();
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.write(" ");
    const alive = setInterval(() => response.write(" "), SIGN_OF_LIFE_MS);
    const said = JSON.stringify(await perform(body, from).finally(() => clearInterval(alive)));
    const mark = signAs(options.nkeySeed, signedText("answer", peer, said));
    response.end(JSON.stringify({ said, signature: mark }));
  }

  async function perform(body: string, from: string): Promise<unknown> {
    let command = "";
    try {
      const asked = request(JSON.parse(body));
      command = asked.command.slice(0, 60);
      return { value: (await answerTo(options.handlers(), asked.command, asked.args, from)) ?? null };
    } catch (error) {
      options.log(error, command);
      return { error: errorBody(error) };
    }
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    response.on("error", () => {}); // the caller disconnected
    if (request.method !== "POST" || (request.url !== "/peer/challenge" && request.url !== "/peer/call")) {
      response.writeHead(405).end();
      return;
    }
    if (request.url === "/peer/challenge") {
      response.end(challenge());
      return;
    }
    answer(request, response).catch((error: unknown) => {
      options.log(error, "peer");
      response.destroy();
    });
  };
}

const request = shaped(Type.Object({ command: Type.String(), args: Type.Unknown() }));

/** @throws PloyzError `no_such_command`, `invalid_input`, or the handler's own. */
function answerTo(handlers: Partial<PeerHandlers>, name: string, args: unknown, from: string) {
  const run = <N extends PeerCommand>(command: N) => handlers[command]?.(shaped(ARGS[command])(args), from);
  const answer = isPeerCommand(name) ? run(name) : undefined;
  if (answer !== undefined) return answer;
  throw new PloyzError({
    code: "no_such_command",
    message: `this machine does not know the command ${name.slice(0, 60)}`,
    hint: "compare versions with ployzctl machine ls, then: ployzctl machine update",
  });
}

const text = (header: string | readonly string[] | undefined) => (typeof header === "string" ? header : "");
