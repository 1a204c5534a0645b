import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Received {
  readonly route: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers with JSON; with NDJSON when it is a list of events; with an error when it holds one. */
export type Answer = (request: Received) => unknown;

export interface FakeDaemon {
  readonly dir: string;
  readonly socket: string;
  readonly received: Received[];
  readonly close: () => Promise<void>;
}

export class Events {
  readonly events: AsyncIterable<unknown> | Iterable<unknown>;
  constructor(events: AsyncIterable<unknown> | Iterable<unknown>) {
    this.events = events;
  }
}

/** A daemon's API on a socket of its own, with the given answers by `METHOD /path`. */
export async function fakeDaemon(answers: Readonly<Record<string, Answer>> = {}): Promise<FakeDaemon> {
  const dir = await mkdtemp(join(tmpdir(), "ployzctl-"));
  const socket = join(dir, "d.sock");
  const received: Received[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "/", "http://ployzd");
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const route = `${request.method} ${decodeURIComponent(url.pathname)}`;
    const call = { route, body, query: Object.fromEntries(url.searchParams) };
    received.push(call);
    const answer = answers[route] ?? answers[route.replace(/sha256:[0-9a-f]{64}$/, ":digest")];
    await send(response, answer === undefined ? failure("no_such_route", route) : await answer(call));
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    dir,
    socket,
    received,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export const failure = (code: string, message: string, hint?: string) => ({ error: { code, message, hint } });

async function send(response: ServerResponse, answer: unknown): Promise<void> {
  if (!(answer instanceof Events)) {
    const failed = typeof answer === "object" && answer !== null && "error" in answer;
    response
      .writeHead(failed ? 409 : 200, { "content-type": "application/json" })
      .end(JSON.stringify(answer));
    return;
  }
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  try {
    for await (const event of answer.events) response.write(`${JSON.stringify(event)}\n`);
    response.end();
  } catch {
    response.destroy(); // a daemon that dies in the middle
  }
}
