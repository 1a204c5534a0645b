import { mkdtemp, rm } from "node:fs/promises";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, expect, it } from "vitest";
import { type ApiServer, serveApi } from "./server.ts";

let [dir, server]: [string, ApiServer | undefined] = ["", undefined];
afterEach(async () => {
  await server?.close();
  await rm(dir, { recursive: true, force: true });
});

it("1,000 requests at once are answered or told that the daemon is busy, and the next one is answered", async () => {
  dir = await mkdtemp(join(tmpdir(), "api-"));
  let [now, most] = [0, 0];
  let refused = () => {};
  const untilRefused = new Promise<void>((resolve) => {
    refused = resolve;
  });
  const status = async () => {
    most = Math.max(most, ++now);
    await untilRefused;
    now -= 1;
    return { kind: "status" };
  };
  const socketPath = join(dir, "s");
  server = await serveApi(socketPath, { json: { "GET /v1/status": status }, streams: {} }, () => {});
  const agent = new Agent({ maxSockets: Number.POSITIVE_INFINITY });
  const ask = () =>
    new Promise<string>((resolve, reject) => {
      get({ socketPath, path: "/v1/status", agent }, (response) => {
        text(response).then((answer) => {
          if (answer.includes("daemon_busy")) refused();
          resolve(answer);
        }, reject);
      }).on("error", reject);
    });
  const answers = await Promise.all(Array.from({ length: 1000 }, ask));
  const busy = answers.filter((answer) => answer.includes("daemon_busy")).length;
  expect(answers.filter((answer) => answer.includes('"kind":"status"')).length + busy).toBe(1000);
  expect(busy).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(200);
  expect(await ask()).toContain("status");
});
