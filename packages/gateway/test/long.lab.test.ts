import { createHash } from "node:crypto";
import { createServer, type Server as HttpServer, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { waitFor } from "@ployz/exec";
import { expect, it } from "vitest";
import type { Route, Server } from "../src/index.ts";
import { later, openLab, serverOf } from "./lab.ts";
import { fetchVia } from "./load.ts";

const RELOADS = 50;
const OLD = 4;

const route = (host: string, name: string, servers: readonly Server[]): Route => ({
  ...{ kind: "http", id: `prod/${host}`, host, path: "/" },
  backend: { id: `prod/${name}/http`, servers },
});

/** Answers an upgrade, and then each byte with itself. */
async function echo(): Promise<Server> {
  const server: HttpServer = createServer((_, response) => response.end());
  server.on("upgrade", ({ headers }, socket) => {
    // RFC 6455, 4.2.2: HAProxy checks it.
    const accept = createHash("sha1")
      .update(`${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  return { id: "echo", address: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** Sends a text and waits for it to come back. */
async function roundTrip(socket: Socket, text: string): Promise<void> {
  const answer = new Promise<string>((resolve, reject) => {
    socket.once("data", (chunk) => resolve(chunk.toString()));
    socket.once("close", () => reject(new Error("the connection was cut")));
  });
  socket.write(text);
  expect(await answer).toBe(text);
}

it(`keeps a WebSocket over ${RELOADS} reloads for others, and no more than a few old workers`, async () => {
  const { gateway, port, upstream } = await openLab({ maxOldWorkers: OLD });
  const web = serverOf(await upstream("web"));
  const first = route("ws.test", "ws", [await echo()]);
  await gateway.apply({ version: "0", routes: [first] });
  const socket = connect(port, "127.0.0.1");
  later(() => socket.destroy());
  const open = new Promise<string>((resolve) => socket.once("data", (chunk) => resolve(chunk.toString())));
  const key = Buffer.alloc(16, 7).toString("base64");
  socket.write(
    `GET / HTTP/1.1\r\nHost: ws.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  expect(await open).toContain("101 Switching Protocols");
  for (let turn = 1; turn <= RELOADS; turn++) {
    const { changed } = await gateway.apply({
      version: String(turn),
      routes: [first, route("other.test", `other${turn}`, [web])],
    });
    expect(changed).toBe("reload");
    // A connection that is kept without a request: its worker is replaced with the next change.
    const kept = connect(port, "127.0.0.1");
    later(() => kept.destroy());
    const answered = new Promise((resolve) => kept.once("data", resolve));
    kept.write("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
    await answered;
    if (turn % 10 === 0) await roundTrip(socket, `turn ${turn}`);
  }
  await roundTrip(socket, "still there");
  await waitFor(
    "workers beyond the bound to end",
    async () => (await gateway.status()).oldWorkers.length <= OLD || undefined,
    { timeoutMs: 5000, intervalMs: 50 },
  );
  expect((await gateway.status()).oldWorkers.length).toBeGreaterThan(0);
  expect((await fetchVia(port, { host: "other.test" })).status).toBe(200);
}, 120_000);

it("listens on IPv6 beside IPv4, and knows the client", async () => {
  const { gateway, port, upstream } = await openLab({ ipv6: true });
  const web = serverOf(await upstream("web"));
  await gateway.apply({
    version: "1",
    routes: [{ ...route("web.test", "web", [web]), options: { allow: ["::1/128"] } } as Route],
  });
  const status = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) =>
      request({ host, port, headers: { host: "web.test" } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on("error", reject)
        .end(),
    );
  expect(await status("::1")).toBe(200);
  expect(await status("127.0.0.1")).toBe(403);
});

it("trusts proxies with IPv6 addresses, and none of the others", async () => {
  const { gateway, port, upstream } = await openLab({ ipv6: true, trustedProxies: ["::1/128"] });
  const web = serverOf(await upstream("web"));
  await gateway.apply({
    version: "1",
    routes: [{ ...route("web.test", "web", [web]), options: { allow: ["2001:db8::7/128"] } } as Route],
  });
  const status = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) =>
      request({ host, port, headers: { host: "web.test", "x-forwarded-for": "2001:db8::7" } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on("error", reject)
        .end(),
    );
  expect(await status("::1")).toBe(200);
  expect(await status("127.0.0.1")).toBe(403);
});
