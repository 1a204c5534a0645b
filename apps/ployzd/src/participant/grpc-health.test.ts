import { once } from "node:events";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { askGrpc, healthRequest, healthStatus } from "./grpc-health.ts";

const servers: Http2Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A health server, written by hand from the protocol: what it got, and what it answers. */
async function serve(answer: (stream: ServerHttp2Stream, body: Buffer) => void) {
  const server = createServer();
  servers.push(server);
  const asked: { path: string; type: string; body: string }[] = [];
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => undefined);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const body = Buffer.concat(chunks);
      asked.push({
        path: String(headers[":path"]),
        type: `${String(headers[":method"])} ${String(headers["content-type"])} ${String(headers.te)}`,
        body: body.toString("hex"),
      });
      answer(stream, body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    ask: (service: string, ms = 5_000) => askGrpc({ address: "127.0.0.1", port, service }, ms),
  };
}

function reply(stream: ServerHttp2Stream, message: string, grpc = "0") {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": grpc }));
  stream.end(Buffer.from(message, "hex"));
}

it("asks as the protocol says, for the whole server or for one service", async () => {
  const { ask, asked } = await serve((stream) => reply(stream, "00000000020801"));
  expect(await ask("")).toBeUndefined();
  expect(await ask("a.B")).toBeUndefined();
  const type = "POST application/grpc trailers";
  expect(asked).toEqual([
    { path: "/grpc.health.v1.Health/Check", type, body: "0000000000" },
    { path: "/grpc.health.v1.Health/Check", type, body: "00000000050a03612e42" },
  ]);
  expect(healthRequest("x".repeat(200)).subarray(0, 8).toString("hex")).toBe("00000000cb0ac801");
});

it.each([
  ["NOT_SERVING", "00000000020802", "0", "is NOT_SERVING"],
  ["UNKNOWN, whose field is left out", "0000000000", "0", "is UNKNOWN"],
  ["a cut message", "0000000002", "0", "is not a health answer"],
  ["nothing", "", "0", "is not a health answer"],
  ["an unknown service", "", "5", "does not know this service"],
  ["no health service", "", "12", "has no grpc.health.v1.Health"],
  ["another error", "00000000020801", "14", "gRPC status 14"],
])("%s is not ready, with its reason", async (_, message, grpc, why) => {
  const { ask } = await serve((stream) => reply(stream, message, grpc));
  expect(await ask("a")).toContain(why);
});

it("an answer without a body, another status and too long an answer are not ready", async () => {
  const refused = await serve((stream) =>
    stream.respond({ ":status": 200, "grpc-status": "12" }, { endStream: true }),
  );
  expect(await refused.ask("")).toContain("has no grpc.health.v1.Health");
  const missing = await serve((stream) => stream.respond({ ":status": 404 }, { endStream: true }));
  expect(await missing.ask("")).toContain("answered 404");
  const long = await serve((stream) => reply(stream, "00".repeat(5_000)));
  expect(await long.ask("")).toContain("not a health answer");
});

it("a server that does not answer is not ready when the time is over, and one that is not there at once", async () => {
  const { ask } = await serve(() => undefined);
  expect(await ask("", 100)).toContain("no answer within 100 ms");
  expect(await askGrpc({ address: "127.0.0.1", port: 1, service: "" }, 5_000)).toContain("ECONNREFUSED");
});

it("reads a status of one byte only", () => {
  expect(healthStatus(Buffer.from("00000000020801", "hex"))).toBe(1);
  expect(healthStatus(Buffer.from("01000000020801", "hex"))).toBeUndefined();
  expect(healthStatus(Buffer.from("0000000003080101", "hex"))).toBeUndefined();
});
