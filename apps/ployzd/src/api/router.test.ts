import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { PloyzError } from "@ployz/errors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { router } from "./router.ts";

let server: Server;
let port: number;
let logged: unknown[];
let ended: string[];
let release: () => void;

beforeEach(async () => {
  logged = [];
  ended = [];
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const handle = router(
    {
      json: {
        "GET /v1/things/:id": async ({ params, query }) => ({ params, query }),
        "POST /v1/echo": async ({ body }) => ({ body: await body() }),
        "GET /v1/refused": async () => {
          throw new PloyzError({ code: "scope_busy", message: "busy", hint: "wait" });
        },
        "PUT /v1/refused": async () => {
          throw new PloyzError({ code: "scope_busy", message: "busy", hint: "wait" });
        },
        "GET /v1/bug": async () => {
          throw new TypeError("oops");
        },
      },
      streams: {
        "PUT /v1/ended": async function* () {
          yield { n: 1 };
        },
        "GET /v1/broken": async function* () {
          yield { n: 1 };
          throw new PloyzError({ code: "store_unavailable", message: "gone" });
        },
        "GET /v1/late": async function* ({ params }) {
          if (params !== undefined) throw new PloyzError({ code: "invalid_input", message: "no" });
          yield {};
        },
        "GET /v1/endless": async function* ({ signal }) {
          try {
            for (let n = 0; ; n++) {
              yield { n, fill: "x".repeat(100_000) };
              signal.throwIfAborted();
            }
          } finally {
            ended.push("endless");
            release();
          }
        },
        "GET /v1/follow": async function* ({ signal }) {
          yield { n: 0 };
          await new Promise((_, reject) =>
            signal.addEventListener("abort", () => {
              ended.push("follow");
              setImmediate(release);
              reject(signal.reason);
            }),
          );
        },
      },
    },
    (error) => logged.push(error),
  );
  server = createServer((incoming, response) => void handle(incoming, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
  waitReleased = () => released;
});
let waitReleased: () => Promise<void>;
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const ask = (method: string, path: string, body?: string) =>
  new Promise<{ status: number; text: string; cut: boolean }>((resolve, reject) => {
    const asking = request({ host: "127.0.0.1", port, method, path, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      const end = (cut: boolean) => resolve({ status: response.statusCode ?? 0, text, cut });
      response.on("end", () => end(false));
      response.on("error", () => end(true));
    });
    asking.on("error", reject);
    asking.end(body);
  });
const json = async (method: string, path: string, body?: string) => {
  const { status, text } = await ask(method, path, body);
  return { status, body: JSON.parse(text) as unknown };
};

/** Sends bytes as they are: `http.request` refuses what an attacker would not. */
const raw = (text: string) =>
  new Promise<string>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
      socket.end();
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", () => resolve(answer));
  });

describe("the router", () => {
  it("decodes parameters and query", async () => {
    const { body } = await json("GET", "/v1/things/a%2Fb%20c?x=1&y=%26");
    expect(body).toEqual({ params: { id: "a/b c" }, query: { x: "1", y: "&" } });
  });

  it.each(["/v1/things/%zz", "//", "//evil/", "http://[", "/v1/things/%ff"])(
    "a path that is no path is the caller's mistake, and the daemon lives on: %s",
    async (path) => {
      const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1.1 (400|409) /);
      expect((await ask("GET", "/v1/things/1")).status).toBe(200);
    },
  );

  it("says what it does not know, and that the daemon may be older", async () => {
    const { status, body } = await json("DELETE", "/v1/things/1");
    expect(status).toBe(409);
    expect(body).toMatchObject({ error: { code: "no_such_route", hint: expect.any(String) } });
  });

  it("a refusal keeps its code and hint; a bug is internal and logged", async () => {
    expect(await json("GET", "/v1/refused")).toMatchObject({
      status: 409,
      body: { error: { code: "scope_busy", hint: "wait" } },
    });
    expect(await json("GET", "/v1/bug")).toMatchObject({
      status: 500,
      body: { error: { code: "internal" } },
    });
    expect(logged.length).toBe(2);
  });

  it("a body is JSON of at most 8 MiB", async () => {
    expect(await json("POST", "/v1/echo", '{"a":1}')).toMatchObject({ body: { body: { a: 1 } } });
    expect(await json("POST", "/v1/echo", "{")).toMatchObject({
      status: 400,
      body: { error: { code: "invalid_input" } },
    });
    const large = await ask("POST", "/v1/echo", `"${"x".repeat(9 * 1024 * 1024)}"`).catch(() => undefined);
    expect(large?.status ?? 400).toBe(400);
    expect((await ask("GET", "/v1/things/1")).status).toBe(200);
  });

  it.each([
    ["refused", 409],
    ["ended", 200],
  ])("an answer in the middle of an upload arrives: %s", async (name, status) => {
    const part = Buffer.alloc(2 ** 20);
    for (let n = 0; n < 20; n++) {
      const found = await new Promise((resolve, reject) => {
        const options = { host: "127.0.0.1", port, method: "PUT", path: `/v1/${name}`, agent: false };
        const asking = request(options, (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode));
        });
        asking.on("error", reject);
        Readable.from(Array.from({ length: 8 }, () => part)).pipe(asking);
      });
      expect(found).toBe(status);
    }
  });

  it("an error at once is a status; one in the middle is the last line", async () => {
    expect(await json("GET", "/v1/late")).toMatchObject({ status: 400 });
    const { status, text } = await ask("GET", "/v1/broken");
    expect(status).toBe(200);
    expect(
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ n: 1 }, { error: { code: "store_unavailable" } }]);
  });

  it.each(["endless", "follow"])(
    "a caller that leaves ends the stream %s, and nothing else",
    async (name) => {
      await new Promise<void>((resolve) => {
        const asking = request({ host: "127.0.0.1", port, path: `/v1/${name}`, agent: false }, (response) => {
          response.once("data", () => asking.destroy());
          response.on("error", () => {});
        });
        asking.on("error", () => {});
        asking.on("close", () => resolve());
        asking.end();
      });
      await waitReleased();
      expect(ended).toEqual([name]);
      expect((await ask("GET", "/v1/things/1")).status).toBe(200);
    },
  );
});
