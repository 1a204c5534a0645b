import { request as httpRequest } from "node:http";
import type { ErrorBody } from "@ployz/errors";
import { PloyzError as WireError } from "@ployz/errors";
import { isSignedBy, signAs } from "@ployz/nats-store";
import { PloyzError } from "../error-codes.ts";
import type { PeerCommand, PeerCommands } from "./commands.ts";
import { SILENCE_MS, signedText } from "./protocol.ts";

export interface PeerClientOptions {
  readonly cluster: string;
  readonly self: string;
  readonly nkeySeed: string;
  readonly port: number;
  member(id: string): { readonly address: string; readonly nkey: string } | undefined;
}

/** Calls the daemon of another machine. @throws PloyzError `machine_unreachable`, `no_such_machine`, or its own error. */
export type AskPeer = <N extends PeerCommand>(
  machine: string,
  command: N,
  args: PeerCommands[N]["args"],
) => Promise<PeerCommands[N]["out"]>;

export function peerClient(options: PeerClientOptions): AskPeer {
  const { cluster, self, nkeySeed, port } = options;
  return async <N extends PeerCommand>(machine: string, command: N, args: PeerCommands[N]["args"]) => {
    const member = options.member(machine);
    if (member === undefined)
      throw new PloyzError({
        code: "no_such_machine",
        message: `${machine} is not a member here`,
        hint: "list members: ployzctl machine ls",
      });
    const to = { host: member.address, port };
    const post = async (path: string, headers: Readonly<Record<string, string>>, body: string) => {
      try {
        return await exchange(
          { ...to, timeout: path === "/peer/challenge" ? SILENCE_MS / 2 : SILENCE_MS },
          path,
          {
            headers,
            body,
          },
        );
      } catch (cause) {
        throw unreachable(machine, cause);
      }
    };
    const challenge = await post("/peer/challenge", {}, "");
    const body = JSON.stringify({ command, args });
    const peer = { cluster, from: self, to: machine, challenge };
    const signature = signAs(nkeySeed, signedText("ask", peer, body));
    const headers = {
      "x-ployz-machine": self,
      "x-ployz-challenge": challenge,
      "x-ployz-signature": signature,
    };
    const answer = JSON.parse(await post("/peer/call", headers, body)) as {
      readonly said: string;
      readonly signature: string;
    };
    if (!isSignedBy(member.nkey, signedText("answer", peer, answer.said), answer.signature))
      throw unreachable(machine, new Error("another program answers there"));
    const said = JSON.parse(answer.said) as
      | { readonly value: PeerCommands[N]["out"] }
      | { readonly error: ErrorBody };
    if ("value" in said) return said.value;
    const { code, message, hint } = said.error;
    throw new WireError({ code, message: `${machine}: ${message}`, ...(hint !== undefined && { hint }) });
  };
}

function exchange(
  to: { readonly host: string; readonly port: number; readonly timeout: number },
  path: string,
  { headers, body }: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = httpRequest({ ...to, path, method: "POST", headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200 && response.complete) resolve(Buffer.concat(chunks).toString("utf8"));
        else reject(new Error(`it answered ${response.statusCode}`));
      });
      response.on("close", () => reject(new Error("the connection broke")));
    });
    // Time-out of silence and of connecting: a machine that is off does not refuse connections.
    asking.on("timeout", () => asking.destroy(new Error(`silent for ${to.timeout} ms`)));
    asking.on("error", reject);
    asking.end(body);
  });
}

const unreachable = (machine: string, cause: unknown) =>
  new PloyzError(
    {
      code: "machine_unreachable",
      message: `the daemon of ${machine} does not answer over the overlay (${cause instanceof Error ? cause.message : String(cause)})`,
      hint: `check ${machine}: ployzctl machine ls; and there: ployzctl daemon status`,
    },
    { cause },
  );
