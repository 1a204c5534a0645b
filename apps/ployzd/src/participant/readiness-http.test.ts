import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Runtime } from "@ployz/runtime";
import { expect, it, onTestFinished } from "vitest";
import { awaitReady } from "./readiness.ts";

async function open(answer: (headers: IncomingHttpHeaders) => number) {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer(({ headers }, response) => {
    seen.push(headers);
    response.writeHead(answer(headers)).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const runtime: Partial<Runtime> = {
    inspect: async (id) => ({ id, labels: {}, state: "running", identity: "x", pid: 1, restarts: 0 }),
    async *logs() {},
  };
  const { port } = server.address() as AddressInfo;
  const ready = (more: object) =>
    awaitReady(
      runtime as Runtime,
      {
        ...{ id: "a", address: "127.0.0.1", ports: { http: port } },
        ready: { kind: "http", path: "/up", port: "http", timeoutMs: 1000, ...more },
      },
      new AbortController().signal,
    );
  return { ready, seen };
}

it("asks as the gateways do: with the Host and the headers of the manifest", async () => {
  const { ready, seen } = await open(() => 204);
  await ready({});
  await ready({ host: "app.test", headers: { "X-Check": "1" } });
  expect(seen).toMatchObject([
    { host: "localhost", "user-agent": "ployz-readiness" },
    { host: "app.test", "x-check": "1", "user-agent": "ployz-readiness" },
  ]);
});

it("is content with the expected statuses, and with no other", async () => {
  const { ready } = await open(({ host }) => (host === "app.test" ? 401 : 200));
  await ready({ host: "app.test", status: [204, 401] });
  await expect(ready({ status: [204, 401] })).rejects.toMatchObject({
    code: "not_ready",
    message: expect.stringContaining("answered 200"),
  });
});
