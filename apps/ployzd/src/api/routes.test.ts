import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openClient } from "@ployz/primitives/client";
import type { Commit } from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Daemon } from "../daemon/daemon.ts";
import { apiRoutes } from "./routes.ts";
import { type ApiServer, serveApi } from "./server.ts";

const OPERATION = "01M849JKMJKJNHP441C7VF0Z2Q";
const commit: Commit = {
  ...{ v: 1, namespace: "prod", operation: OPERATION, primitive: "deploy", at: "2026-01-01T00:00:00Z" },
  ...{ by: "me@here", services: {}, jobs: {}, instances: [], routes: [] },
  volumes: [{ name: "pgdata", id: "prod.pgdata.x", machine: "m1", guid: "1", spec: { scope: "single" } }],
};

let dir: string;
let server: ApiServer;
let client: ReturnType<typeof openClient>;
beforeEach(async () => {
  const store = createMemoryStore({ clock: createVirtualClock() });
  await store.commits.append(commit, 0);
  const member = {
    store,
    heads: () => [{ revision: 1, commit }],
    membership: () => ({ machines: [], machine: { id: "m1" } }),
    substrate: { wireguard: { status: async () => undefined } },
    machines: {
      call: async (machine: string, command: string, args: object) => ({
        snapshots: [{ name: "s1", machine, command, args }],
        volumes: [],
      }),
    },
  };
  dir = await mkdtemp(join(tmpdir(), "ployzd-api-"));
  const socketPath = join(dir, "d.sock");
  server = await serveApi(socketPath, apiRoutes({ member: () => member } as unknown as Daemon), () => {});
  client = openClient({ socketPath });
});
afterEach(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

it("names come from this machine's own state", async () => {
  expect(await client.request("GET /v1/names")).toEqual({
    ...{ kind: "names", machines: [] },
    namespaces: [{ namespace: "prod", services: [], volumes: ["pgdata"] }],
  });
});

it("the client reads a namespace's history and volumes, by the routes that both know", async () => {
  const params = { ns: "prod" };
  const history = await client.request("GET /v1/namespaces/:ns/history", { params, query: { limit: "1" } });
  const revision = history.commits[0]?.revision ?? 0;
  expect(history.commits[0]).toMatchObject({
    operation: OPERATION,
    changes: { volumes: { added: ["pgdata"] } },
  });
  for (const name of ["last", String(revision), OPERATION.toLowerCase().slice(0, 8)])
    expect(
      await client.request("GET /v1/namespaces/:ns/commits/:commit", { params: { ...params, commit: name } }),
    ).toMatchObject({ kind: "commit", revision });
  const query = { commit: String(revision) };
  const { text } = await client.request("GET /v1/namespaces/:ns/manifest", { params, query });
  expect(text).toContain("[volumes.pgdata]");
  const body = { source: "prod", target: "pr-42" };
  expect((await client.request("POST /v1/branch/manifest", { body })).text).toContain('"pr-42"');
  expect(await client.request("GET /v1/volumes", { query: { namespace: "prod" } })).toMatchObject({
    volumes: [{ name: "pgdata", committed: true, state: "unknown" }],
  });
  const snapshots = await client.request("GET /v1/volumes/:ns/:name/snapshots", {
    params: { ...params, name: "pgdata" },
  });
  expect(snapshots.snapshots).toMatchObject([
    { machine: "m1", command: "volume.snapshots", args: { id: "prod.pgdata.x" } },
  ]);
});

it.each([
  ["history of no namespace", "GET /v1/namespaces/:ns/history", { ns: "none" }, "no_such_namespace"],
  ["history of an invalid name", "GET /v1/namespaces/:ns/history", { ns: "a.>/*" }, "invalid_input"],
  [
    "a volume that is not there",
    "GET /v1/volumes/:ns/:name/snapshots",
    { ns: "prod", name: "x" },
    "no_such_volume",
  ],
] as const)("%s: %s says so", async (_what, route, params, code) => {
  const asked = client.request(route as "GET /v1/volumes/:ns/:name/snapshots", { params: params as never });
  await expect(asked).rejects.toMatchObject({ code });
});

it("a field that a route does not know is refused, and the one that was meant is named", async () => {
  const asked = client.request("POST /v1/branch/manifest", {
    // @ts-expect-error the field is called target
    body: { source: "prod", taget: "pr-42" },
  });
  await expect(asked).rejects.toMatchObject({
    ...{ code: "invalid_input", message: expect.stringContaining("target") },
  });
  const made = client.request("POST /v1/mesh/init", {
    // @ts-expect-error the field is called machine
    body: { name: "c", machien: "m1" },
  });
  await expect(made).rejects.toMatchObject({ code: "invalid_input", hint: "did you mean `machine`?" });
});
