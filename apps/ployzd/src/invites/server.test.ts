import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ensureJoinKey } from "./join-key.ts";
import { type JoinServer, serveJoins } from "./server.ts";

let folder: string;
let port: number;
let server: JoinServer;
const held: Socket[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ployz-join-"));
  const probe = createServer().listen(0);
  await once(probe, "listening");
  port = (probe.address() as AddressInfo).port;
  probe.close();
  await once(probe, "close");
  server = await serveJoins({
    port,
    identity: await ensureJoinKey(join(folder, "key")),
    handle: async ({ say }) => void (await say({ joined: {} })),
    log: () => {},
  });
});
afterAll(async () => {
  for (const socket of held) socket.destroy();
  await server.close();
  await rm(folder, { recursive: true });
});

/** Connects and says nothing. */
async function hold(localAddress: string): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  held.push(socket);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** What a whole request from this source gets: its answer, or `closed`. */
const joins = (localAddress: string): Promise<string> =>
  new Promise((resolve) => {
    const raw = connect({ port, host: "127.0.0.1", localAddress });
    held.push(raw);
    const socket = connectTls({ socket: raw, rejectUnauthorized: false });
    let said = "";
    socket.on("error", () => {});
    raw.on("error", () => {});
    socket.on("data", (data: Buffer) => {
      said += data.toString();
    });
    socket.on("close", () => resolve(said.split("\r\n")[0] || "closed"));
    const body = "{}";
    socket.write(
      `POST /v1/join HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  });

it("lets one source hold some connections, never all", async () => {
  const greedy = await Promise.all(Array.from({ length: 300 }, () => hold("127.0.0.2")));
  expect(await joins("127.0.0.2")).toBe("closed");
  const others = ["127.0.0.3", "127.0.0.4", "127.0.0.5"];
  for (const other of others) expect(await joins(other)).toBe("HTTP/1.1 200 OK");
  expect(greedy.filter((socket) => !socket.destroyed && !socket.readableEnded).length).toBeLessThanOrEqual(
    16,
  );
  // A connection that it closes is free again.
  for (const socket of greedy) socket.destroy();
  await expect.poll(() => joins("127.0.0.2")).toBe("HTTP/1.1 200 OK");
});
