import { afterEach, beforeEach, expect, it } from "vitest";
import { type FakeDaemon, fakeDaemon, type Received } from "./daemon.ts";
import { ctl } from "./run.ts";

const OPERATION = "01M849JKMJKJNHP441C7VF0Z2Q";
const none = { added: [], changed: [], removed: [] };
const made = { operation: OPERATION, at: "2026-01-01T00:00:00Z", by: "me@here" };
const commit = {
  ...{ v: 1, namespace: "pr-42", primitive: "branch", instances: [], jobs: {}, ...made },
  services: {
    web: {
      revision: "sha256:abc",
      spec: {
        ...{ image: { ref: "app:v1", digest: "d" }, ports: {}, env: {}, after: [], volumes: {}, routes: [] },
        ...{ placement: { kind: "replicas", count: 1 }, update: "start-first", drainMs: 0, stopGraceMs: 0 },
      },
    },
  },
  volumes: [
    {
      ...{ name: "pgdata", id: "pr-42.pgdata.x", machine: "m2", guid: "1", spec: { scope: "single" } },
      origin: { namespace: "prod", volume: "pgdata", snapshot: "s1" },
    },
  ],
  routes: [{ kind: "http", host: "pr-42--a.test", path: "/", port: "http", service: "web" }],
  lineage: { kind: "branch", from: "prod", revision: 7 },
};
const copy = (over: object) => ({
  ...{ namespace: "prod", name: "pgdata", id: "prod.pgdata.x", machine: "m2", users: ["db"] },
  ...{ committed: true, state: "active", spec: { scope: "single", quotaBytes: 20 * 2 ** 30 } },
  observed: {
    ...{ id: "prod.pgdata.x", namespace: "prod", name: "pgdata", state: "active", guid: "1" },
    ...{ operation: OPERATION, usedBytes: 3 * 2 ** 20, referencedBytes: 2 ** 20 },
  },
  ...over,
});

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await fakeDaemon({
    "GET /v1/namespaces/prod/history": () => ({
      kind: "history",
      namespace: "prod",
      commits: [
        {
          ...{ revision: 9, primitive: "rollback", ...made },
          lineage: { kind: "rollback", from: "prod", revision: 3 },
          changes: {
            services: { added: ["web"], changed: ["api"], removed: ["old"] },
            jobs: none,
            volumes: { ...none, added: ["pgdata"] },
            routes: { added: 1, removed: 2 },
          },
        },
        {
          ...{ revision: 5, primitive: "deploy", ...made },
          changes: { services: none, jobs: none, volumes: none, routes: { added: 0, removed: 0 } },
        },
      ],
    }),
    "GET /v1/namespaces/pr-42/commits/last": () => ({
      ...{ kind: "commit", namespace: "pr-42", revision: 8, commit },
    }),
    "GET /v1/namespaces/pr-42/commits/01m849jk": () => ({
      ...{ kind: "commit", namespace: "pr-42", revision: 8, commit },
    }),
    "GET /v1/namespaces/pr-42/manifest": () => ({
      ...{ kind: "manifest", namespace: "pr-42", revision: 8, text: 'namespace = "pr-42"\n' },
    }),
    "POST /v1/branch/manifest": ({ body }: Received) => ({
      ...{ kind: "manifest", namespace: JSON.parse(body).target, revision: 8 },
      text: 'namespace = "pr-43"\n',
    }),
    "GET /v1/volumes": () => ({
      kind: "volumes",
      volumes: [
        copy({}),
        copy({ committed: false, state: "retired", id: "prod.pgdata.y", users: [] }),
        copy({ name: "lost", id: "prod.lost.x", state: "missing", observed: undefined }),
      ],
      unreachable: ["m3"],
    }),
    "GET /v1/volumes/prod/pgdata/snapshots": () => ({
      ...{ kind: "snapshots", namespace: "prod", volume: "pgdata", id: "prod.pgdata.x", machine: "m2" },
      snapshots: [{ name: "s1", guid: "77", createdAt: "2026-01-01T00:00:00Z", usedBytes: 2048 }],
    }),
    "GET /v1/status": () => ({
      ...{ kind: "status", self: "m1", machines: [], operations: [], warnings: [] },
      namespaces: [{ namespace: "pr-42", revision: 8, commit, running: 0, wanted: 0, routes: commit.routes }],
      store: { state: "connected", machines: ["m1"], generation: 2 },
    }),
  });
});
afterEach(() => daemon.close());
const run = (line: string) => ctl(["--socket", daemon.socket, ...line.split(" ")]);
const rows = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((row) => row.split("\t"));

it.each(["history prod", "namespace history prod"])("%s shows the changes of each commit", async (line) => {
  const { code, out } = await run(`${line} --plain --limit 2`);
  expect(code).toBe(0);
  const [first, second] = rows(out);
  expect(first?.[0]).toBe("9");
  expect(first?.slice(3)).toEqual([
    ...["rollback", OPERATION],
    ...["+web ~api -old, volumes +pgdata, routes +1 -2", "rollback of prod@3"],
  ]);
  expect(second?.slice(3)).toEqual(["deploy", OPERATION, "instances", "-"]);
  expect(daemon.received[0]?.query).toEqual({ limit: "2" });
});

it("shows a commit, the last or a named one, and where it came from", async () => {
  const { code, out } = await run("show pr-42");
  expect(code).toBe(0);
  expect(out).toContain(`branch by me@here at 2026-01-01T00:00:00Z, operation ${OPERATION}`);
  expect(out).toContain("branch of prod@7");
  expect(out).toContain("prod/pgdata@s1");
  expect(out).toContain("http://pr-42--a.test/");
  expect((await run("show pr-42@01m849jk")).out).toBe(out);
  expect(JSON.parse((await run("show pr-42 --json")).out)).toMatchObject({ kind: "commit", revision: 8 });
});

it("prints a manifest as it is, so that it can be deployed", async () => {
  expect(await run("show pr-42@8 --manifest")).toEqual({ code: 0, out: 'namespace = "pr-42"\n', err: "" });
  expect(daemon.received[0]?.query).toEqual({ commit: "8" });
  expect((await run("branch render-manifest prod pr-43 --volume-mode fresh")).out).toBe(
    'namespace = "pr-43"\n',
  );
  expect(JSON.parse(daemon.received.at(-1)?.body ?? "")).toEqual({
    ...{ source: "prod", target: "pr-43", volumeMode: "fresh" },
  });
});

it("lists volumes with their sizes and users; retired copies only with --all", async () => {
  const { out } = await run("volume ls prod --plain");
  expect(rows(out)).toEqual([
    ["prod/pgdata", "m2", "active", "-", "3.0M", "1.0M", "20G", "db", "prod.pgdata.x"],
    ["prod/lost", "m2", "missing", "-", "-", "-", "20G", "db", "prod.lost.x"],
  ]);
  expect(daemon.received[0]?.query).toEqual({ namespace: "prod" });
  expect(rows((await run("volume ls --all --plain")).out).map((row) => row[2])).toContain("retired");
  expect((await run("volume ls")).out).toContain("unreachable, state unknown: m3");
});

it("shows one volume with its other copies, and its snapshots", async () => {
  const { out } = await run("volume show prod/pgdata");
  expect(out).toContain("prod.pgdata.y");
  expect(JSON.parse((await run("volume show prod/pgdata --json")).out)).toMatchObject({
    ...{ kind: "volume", id: "prod.pgdata.x", copies: [{ id: "prod.pgdata.y" }] },
  });
  const missing = await run("volume show prod/pgdat");
  expect(missing.code).toBe(3);
  expect(missing.err).toContain("did you mean pgdata?");
  const [snapshot] = rows((await run("volume snapshots prod/pgdata --plain")).out);
  expect([snapshot?.[0], snapshot?.[2], snapshot?.[3]]).toEqual(["s1", "2.0K", "the volume"]);
});

it("shows the source of a branch", async () => {
  expect((await run("status")).out).toContain("prod@7");
  expect((await run("namespace ls --plain")).out).toMatch(/\tprod@7\n$/);
});
