import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { errorBody } from "@ployz/errors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openClient, pathOf } from "./client.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let dir: string;
let socketPath: string;
const closers: (() => void)[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-client-"));
  socketPath = join(dir, "d.sock");
});
afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await rm(dir, { recursive: true, force: true });
});

async function daemon(handler: Handler): Promise<void> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => handler(request, response, body));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
}

const codeOf = (error: unknown) => errorBody(error).code;

describe("client", () => {
  it("fills in the route and parses the answer", async () => {
    await daemon((request, response) => response.end(JSON.stringify({ path: request.url })));
    const client = openClient({ socketPath });
    const out: unknown = await client.request("GET /v1/operations/:id", { params: { id: "../a b" } });
    expect(out).toEqual({ path: "/v1/operations/..%2Fa%20b" });
  });

  it("sends a body, over any stream", async () => {
    await daemon((_request, response, body) => response.end(body));
    const client = openClient({ connect: () => connect(socketPath) });
    const out: unknown = await client.request("POST /v1/mesh/init", { body: { name: "c1" } });
    expect(out).toEqual({ name: "c1" });
  });

  it("throws the daemon's own error with its hint", async () => {
    await daemon((_request, response) => {
      response.statusCode = 409;
      response.end(
        JSON.stringify({ error: { code: "scope_busy", message: "busy", hint: "ployzctl ops watch X" } }),
      );
    });
    const failed = await openClient({ socketPath })
      .request("GET /v1/status")
      .catch((error: unknown) => error);
    expect(errorBody(failed)).toEqual({ code: "scope_busy", message: "busy", hint: "ployzctl ops watch X" });
  });

  it("says what to do when no daemon is there", async () => {
    const failed = await openClient({ socketPath })
      .request("GET /v1/status")
      .catch((error: unknown) => error);
    expect(errorBody(failed)).toMatchObject({
      code: "daemon_unreachable",
      hint: "start it with: ployzctl daemon install",
    });
    expect(errorBody(failed).message).toContain(socketPath);
  });

  it("gives up on a daemon that stays silent", async () => {
    await daemon(() => {});
    const failed = openClient({ socketPath }).request("GET /v1/status", { idleMs: 50 });
    expect(await failed.catch(codeOf)).toBe("daemon_timeout");
  });

  it("streams events as they come, whatever the chunks", async () => {
    await daemon((_request, response) => {
      response.write('{"type":"waiting","wh');
      setTimeout(() => response.end('at":"é"}\n{"type":"committed","revision":7}\n'), 20);
    });
    const events: unknown[] = [];
    const input = { namespace: "prod" };
    const request = { primitive: "namespace-rm", input, mode: "apply", by: "me" } as const;
    for await (const event of openClient({ socketPath }).stream("POST /v1/operations", { body: request })) {
      events.push(event);
    }
    expect(events).toEqual([
      { type: "waiting", what: "é" },
      { type: "committed", revision: 7 },
    ]);
  });

  it("closes the connection when the reader aborts, and says aborted", async () => {
    let closed: () => void = () => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    await daemon((_request, response) => {
      response.on("close", closed);
      response.write('{"type":"committed","revision":1}\n');
    });
    const stop = new AbortController();
    const read = async () => {
      const query = { target: "prod", follow: "true" as const };
      for await (const _ of openClient({ socketPath }).stream("GET /v1/logs", { query, signal: stop.signal }))
        stop.abort();
    };
    expect(await read().catch(codeOf)).toBe("aborted");
    await gone;
  });

  it("reports a lost connection when a stream breaks", async () => {
    await daemon((_request, response) => {
      response.write('{"type":"committed","revision":1}\n');
      setTimeout(() => response.destroy(), 20);
    });
    const read = async () => {
      for await (const _ of openClient({ socketPath }).stream("GET /v1/logs", { query: { target: "prod" } }));
    };
    expect(await read().catch(codeOf)).toBe("daemon_unreachable");
  });

  it("uploads a bundle", async () => {
    let seen = "";
    await daemon((request, response, body) => {
      seen = `${request.method} ${request.url} ${body}`;
      response.end("{}");
    });
    await openClient({ socketPath }).uploadBundle("sha256:ab", Readable.from(["tar"]));
    expect(seen).toBe("PUT /v1/bundles/sha256%3Aab tar");
  });
});

describe("pathOf", () => {
  it("leaves out absent parameters, and refuses a missing parameter", () => {
    expect(pathOf("GET /v1/ps", { query: { namespace: undefined } }).path).toBe("/v1/ps");
    expect(pathOf("GET /v1/ps", { query: { namespace: "a&b" } }).path).toBe("/v1/ps?namespace=a%26b");
    expect(() => pathOf("GET /v1/operations/:id", {})).toThrow("needs the parameter id");
  });
});
