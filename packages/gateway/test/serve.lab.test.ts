import { connect } from "node:net";
import { spawnStream } from "@ployz/exec";
import { expect, it } from "vitest";
import { freePort, later, openLab, serverOf, tableOf } from "./lab.ts";
import { fetchVia, startLoad } from "./load.ts";
import { startTcpEcho, startUpstream } from "./upstream.ts";

const headersOf = (body: string): Record<string, string> =>
  (JSON.parse(body) as { headers: Record<string, string> }).headers;

it("passes the client's address to instances, and ignores a client's own headers about it", async () => {
  const lab = await openLab({ requestId: true });
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(await lab.upstream("one"))] }));
  const lies = {
    "x-forwarded-for": "6.6.6.6",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.test",
    forwarded: "for=6.6.6.6",
    "x-real-ip": "6.6.6.6",
  };
  const seen = headersOf((await fetchVia(lab.port, { host: "web.test", headers: lies })).body);
  expect(seen).toMatchObject({
    host: "web.test",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "web.test",
    "x-request-id": expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  expect(seen.forwarded ?? seen["x-real-ip"]).toBeUndefined();
});

it("believes a trusted load balancer, and adds it", async () => {
  const lab = await openLab({ trustedProxies: ["127.0.0.0/8"] });
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(await lab.upstream("one"))] }));
  const headers = { "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https" };
  expect(headersOf((await fetchVia(lab.port, { host: "web.test", headers })).body)).toMatchObject({
    "x-forwarded-for": "203.0.113.9, 127.0.0.1",
    "x-forwarded-proto": "https",
  });
  expect(headersOf((await fetchVia(lab.port, { host: "web.test" })).body)["x-forwarded-for"]).toBe(
    "127.0.0.1",
  );
});

it("adds itself to a trusted load balancer's Forwarded header, and drops a client's", async () => {
  const forwarded = async (trustedProxies: readonly string[]) => {
    const lab = await openLab({ trustedProxies });
    await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(await lab.upstream("one"))] }));
    const headers = { forwarded: "for=203.0.113.9;proto=https" };
    return headersOf((await fetchVia(lab.port, { host: "web.test", headers })).body).forwarded;
  };
  expect(await forwarded(["127.0.0.0/8"])).toBe("for=203.0.113.9;proto=https, for=127.0.0.1");
  expect(await forwarded(["192.0.2.0/24"])).toBeUndefined();
});

it("knows the client by the PROXY header of a trusted load balancer, and takes none from others", async () => {
  const ask = async (trustedProxies: readonly string[], hello: Buffer | string) => {
    const lab = await openLab({ trustedProxies, proxyProtocol: true });
    await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(await lab.upstream("one"))] }));
    const socket = connect(lab.port, "127.0.0.1");
    later(() => socket.destroy());
    socket.write(hello);
    socket.write("GET / HTTP/1.1\r\nHost: web.test\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n");
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  };
  const one = "PROXY TCP4 203.0.113.7 198.51.100.1 5555 80\r\n";
  const two = Buffer.from("0d0a0d0a000d0a515549540a2111000ccb007108c633640115b30050", "hex");
  expect(await ask(["127.0.0.0/8"], one)).toContain('"x-forwarded-for":"203.0.113.7"');
  expect(await ask(["127.0.0.0/8"], two)).toContain('"x-forwarded-for":"203.0.113.8"');
  expect(await ask(["192.0.2.0/24"], one)).toMatch(/^HTTP\/1.[01] 400/);
  expect(await ask(["192.0.2.0/24"], "")).toContain('"x-forwarded-for":"127.0.0.1"');
});

it("says 404 for an unknown host, and 503 for a route without instances", async () => {
  const lab = await openLab();
  await lab.gateway.apply(tableOf("1", { "empty.test": [] }));
  expect(await fetchVia(lab.port, { host: "unknown.test" })).toMatchObject({
    status: 404,
    body: "no route for this host and path\n",
  });
  expect(await fetchVia(lab.port, { host: "empty.test" })).toMatchObject({
    status: 503,
    body: "no instance is available for this route\n",
    headers: { "retry-after": "1" },
  });
});

it("carries a WebSocket through a flip of its server and a reload", async () => {
  const lab = await openLab();
  const [old, fresh] = [await lab.upstream("old"), await lab.upstream("fresh")];
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(old)] }));
  const socket = connect(lab.port, "127.0.0.1");
  later(() => socket.destroy());
  const next = (): Promise<Buffer> => new Promise((resolve) => socket.once("data", resolve));
  socket.write(
    "GET /ws HTTP/1.1\r\nHost: web.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  expect((await next()).toString()).toMatch(
    /^HTTP\/1.1 101 [\s\S]*sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i,
  );
  const echo = async (text: string): Promise<string> => {
    // A masked text frame; a mask of zeros leaves the text readable.
    socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]));
    return (await next()).subarray(2).toString();
  };
  expect(await echo("one")).toBe("one");
  await lab.gateway.apply(tableOf("2", { "web.test": [serverOf(fresh)] }));
  expect(await echo("two")).toBe("two");
  await lab.gateway.apply(tableOf("3", { "web.test": [serverOf(fresh)], "new.test": [serverOf(fresh)] }));
  expect(await echo("three")).toBe("three");
  expect(await lab.gateway.drain("old", { timeoutMs: 100 })).toEqual({ drained: false, sessions: 1 });
});

it("passes TCP through, and leaves open connections alone when the server changes", async () => {
  const lab = await openLab();
  const [one, two] = [await startTcpEcho("one"), await startTcpEcho("two")];
  later(() => one.close());
  later(() => two.close());
  const listenPort = await freePort();
  const table = (version: string, port: number) => ({
    version,
    routes: [
      {
        kind: "tcp" as const,
        id: "db",
        listenPort,
        backend: { id: "prod/db/pg", servers: [{ id: `db-${port}`, address: "127.0.0.1", port }] },
      },
    ],
  });
  await lab.gateway.apply(table("1", one.port));
  const dial = () => {
    const socket = connect(listenPort, "127.0.0.1");
    later(() => socket.destroy());
    return (text: string): Promise<string> =>
      new Promise((resolve) => {
        socket.once("data", (data) => resolve(data.toString()));
        socket.write(text);
      });
  };
  const first = dial();
  expect(await first("hi")).toBe("one:hi");
  expect((await lab.gateway.apply(table("2", two.port))).changed).toBe("runtime");
  expect(await dial()("hi")).toBe("two:hi");
  expect(await first("again")).toBe("one:again");
});

it("takes a dead instance out within 3 s, and back when it answers again", async () => {
  const lab = await openLab();
  const [alive, dying] = [await lab.upstream("alive"), await lab.upstream("dying")];
  await lab.gateway.apply(tableOf("1", { "web.test": [serverOf(alive), serverOf(dying)] }));
  const stateOf = async (): Promise<string | undefined> =>
    (await lab.gateway.status()).servers.find((server) => server.id === "dying")?.state;
  expect(await stateOf()).toBe("up");
  const load = startLoad(lab.port, "web.test", 100);
  const killed = performance.now();
  await dying.kill();
  while ((await stateOf()) !== "down") expect(performance.now() - killed).toBeLessThan(3000);
  const report = await load.stop();
  expect(report.failures).toEqual([]);
  const back = await startUpstream("dying", dying.port);
  later(() => back.kill());
  while ((await stateOf()) !== "up") expect(performance.now() - killed).toBeLessThan(10_000);
  await Promise.all(Array.from({ length: 4 }, () => fetchVia(lab.port, { host: "web.test" })));
  expect(back.served()).toBeGreaterThan(0);
});

it("loses no idempotent request when an instance is killed with requests on it", async () => {
  const lab = await openLab();
  const port = await freePort();
  const program = `require("http").createServer((q, r) => setTimeout(() => r.end('{"name":"victim"}'), 20)).listen(${port}, "127.0.0.1", () => console.log("up"))`;
  const victim = spawnStream(process.execPath, ["-e", program]);
  victim.done.catch(() => undefined);
  later(() => victim.pid !== undefined && kill(victim.pid));
  await new Promise((resolve) => victim.stdout.once("data", resolve));
  await lab.gateway.apply(
    tableOf("1", {
      "web.test": [serverOf(await lab.upstream("stays")), { id: "victim", address: "127.0.0.1", port }],
    }),
  );
  const load = startLoad(lab.port, "web.test", 250);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  process.kill(victim.pid ?? 0, "SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const report = await load.stop();
  expect(report.names.get("victim")).toBeGreaterThan(50);
  expect(report.failures).toEqual([]);
});

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
