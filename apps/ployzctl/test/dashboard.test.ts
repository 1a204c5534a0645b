import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openClient } from "@ployz/primitives/client";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openerOf } from "../src/commands/dashboard/dashboard.ts";
import { pageFiles } from "../src/dashboard/files.ts";
import { foreign, openKeys } from "../src/dashboard/guard.ts";
import { DOCUMENTS, routeOf, STREAMS } from "../src/dashboard/reads.ts";
import { type Dashboard, serveDashboard } from "../src/dashboard/server.ts";
import { Events, type FakeDaemon, failure, fakeDaemon } from "./daemon.ts";

const PLAN = {
  ...{ kind: "plan", primitive: "restart", hash: "h", changes: true, summary: {}, warnings: [] },
  ...{ prepare: [], settle: [], prepared: { id: "PLAN1", expiresAt: "2026-11-29T12:00:00Z" } },
};

let daemon: FakeDaemon;
let opened: Dashboard | undefined;
beforeEach(async () => {
  daemon = await fakeDaemon({
    "GET /v1/status": () => ({ kind: "status", self: "m1" }),
    "GET /v1/namespaces/prod/manifest": () => ({ kind: "manifest", text: "PASSWORD" }),
    "GET /v1/namespaces/a b/history": () => ({ kind: "history", namespace: "a b", commits: [] }),
    "GET /v1/logs": () => new Events([{ type: "line", line: "one\ntwo\n\ndata: forged" }]),
    "GET /v1/operations/OP/events": () => failure("operation_unknown", "there is none"),
    "POST /v1/operations": ({ body }) =>
      new Events([
        JSON.parse(body).mode === "prepare"
          ? { type: "plan", plan: PLAN }
          : { type: "accepted", operation: "OP1", primitive: "restart", resumed: false },
      ]),
    "POST /v1/operations/OP1/abort": () => ({ kind: "abort", operation: "OP1", state: "aborted" }),
  });
});
afterEach(async () => {
  await opened?.close();
  opened = undefined;
  await daemon.close();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A server for the fake daemon, and a browser that has opened the printed address. */
async function browser(write = false) {
  const files = new Map([
    ["/index.html", { type: "text/html; charset=utf-8", content: Buffer.from("<p>page</p>") }],
  ]);
  const served = await serveDashboard({
    ...{ port: 0, client: openClient({ socketPath: daemon.socket }), files },
    ...(write && { write: { by: "me@laptop" } }),
  });
  opened = served;
  const address = new URL(served.address(false));
  const raw = (path: string, { method = "GET", headers = {}, body }: Ask = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = httpRequest(
        { host: "127.0.0.1", port: address.port, path, method, headers },
        (response) => {
          let text = "";
          response.on("data", (chunk) => (text += String(chunk)));
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
          );
        },
      );
      sent.on("error", reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const first = await raw(`${address.pathname}${address.search}`);
  const cookie = first.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
  const get = (path: string, headers: Ask["headers"] = {}) => raw(path, { headers: { cookie, ...headers } });
  const post = (path: string, body: unknown, headers: Ask["headers"] = {}) =>
    raw(path, {
      method: "POST",
      headers: { cookie, origin: address.origin, "content-type": "application/json", ...headers },
      body,
    });
  return { served, address, first, cookie, raw, get, post };
}

it("only who has the address gets a session, in a cookie that scripts and other sites do not have", async () => {
  const { address, first, raw, get } = await browser();
  expect(first.status).toBe(200);
  expect(first.headers["set-cookie"]?.[0]).toMatch(
    /^ployz-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/,
  );
  expect(address.searchParams.get("token")).toMatch(/^[\w-]{43}$/);
  expect((await get("/api/v1/status")).body).toContain('"kind":"status"');
  for (const path of [
    "/",
    "/index.html",
    "/api/v1/status",
    "/stream/v1/events",
    "/mode",
    "/?token=wrong",
    "/?token=",
  ])
    expect([path, (await raw(path)).status]).toEqual([path, 403]);
  expect((await raw("/api/v1/status", { headers: { cookie: `ployz-${address.port}=wrong` } })).status).toBe(
    403,
  );
  expect((await raw(`/api/v1/status${address.search}`)).status).toBe(403);
});

it("every answer has a policy that allows its own files only, and is kept by nobody", async () => {
  const { first, get, raw } = await browser();
  for (const { headers } of [first, await get("/api/v1/status"), await get("/nothing"), await raw("/")]) {
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(headers).toMatchObject({
      ...{
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
      },
      ...{ "cross-origin-resource-policy": "same-origin", "x-frame-options": "DENY" },
    });
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  }
});

it("another name for this computer, and the page of another site, are refused with the session too", async () => {
  const { address, get, post } = await browser(true);
  expect((await get("/api/v1/status", { host: "evil.test" })).status).toBe(421);
  expect((await get("/api/v1/status", { host: `evil.test:${address.port}` })).status).toBe(421);
  expect((await get("/api/v1/status", { host: `localhost:${address.port}` })).status).toBe(200);
  expect((await get("/api/v1/status", { origin: "http://evil.test" })).status).toBe(403);
  expect((await get("/api/v1/status", { origin: "null" })).status).toBe(403);
  expect((await get("/api/v1/status", { "sec-fetch-site": "cross-site" })).status).toBe(403);
  expect((await get("/api/v1/status", { "sec-fetch-site": "same-site" })).status).toBe(403);
  const abort = { operation: "OP1", confirm: "OP1" };
  expect((await post("/change/abort", abort, { origin: "http://evil.test" })).status).toBe(403);
  expect((await post("/change/abort", abort, { "content-type": "text/plain" })).status).toBe(403);
  expect(daemon.received.filter(({ route }) => route.startsWith("POST"))).toEqual([]);
  const asking = { method: "POST", headers: { host: address.host, "content-type": "application/json" } };
  expect(foreign(asking, [address.host])).toMatchObject({
    status: 403,
    message: expect.stringContaining("Origin"),
  });
  expect(foreign({ ...asking, method: "PUT" }, [address.host])?.status).toBe(405);
});

it("reads the routes on the list, with parameters decoded once; manifests and others are not on it", async () => {
  const { get } = await browser();
  expect((await get("/api/v1/namespaces/a%20b/history?limit=7")).status).toBe(200);
  expect(daemon.received.at(-1)).toMatchObject({
    route: "GET /v1/namespaces/a b/history",
    query: { limit: "7" },
  });
  const before = daemon.received.length;
  for (const path of [
    ...[
      "/api/v1/namespaces/prod/manifest",
      "/api/v1/secrets",
      "/api/v1/mesh/self",
      "/api/v1/volumes/a/b/export",
    ],
    ...["/api/v1/status/", "/api//v1/status", "/api/v1/../v1/secrets", "/api/v1/namespaces/%zz/history"],
    ...["/stream/v1/audit", "/../package.json", "/%2e%2e/package.json"],
  ])
    expect([path, (await get(path)).status]).toEqual([path, 404]);
  expect(daemon.received.length).toBe(before);
  expect(
    [...Object.keys(DOCUMENTS), ...Object.keys(STREAMS)].filter((route) => !route.startsWith("GET ")),
  ).toEqual([]);
  expect(routeOf(DOCUMENTS, "/v1/volumes/prod/a%2Fb/snapshots")?.params).toEqual({ ns: "prod", name: "a/b" });
});

it("a stream is one line for each event, says its end, and tells an error as one", async () => {
  const { get } = await browser();
  const logs = await get("/stream/v1/logs?target=prod/web&tail=5");
  expect(logs.headers["content-type"]).toBe("text/event-stream");
  expect(logs.body).toBe(
    `data: {"type":"line","line":"one\\ntwo\\n\\ndata: forged"}\n\nevent: end\ndata: {}\n\n`,
  );
  expect(daemon.received.at(-1)?.query).toEqual({ target: "prod/web", tail: "5", follow: "true" });
  expect((await get("/stream/v1/operations/OP/events")).body).toMatch(
    /^event: fault\ndata: \{"code":"operation_unknown"/,
  );
});

it("changes nothing without --write", async () => {
  const { post, get } = await browser();
  expect(JSON.parse((await get("/mode")).body)).toEqual({ write: false });
  for (const path of ["/change/preview", "/change/apply", "/change/abort", "/api/v1/operations"]) {
    const { status, body } = await post(path, { operation: "OP1", confirm: "OP1" });
    expect([path, status, JSON.parse(body).error.code]).toEqual([path, 403, "read_only"]);
  }
  expect(daemon.received).toEqual([]);
});

it("with --write it applies the plan that it has shown, once, and no other", async () => {
  const { post } = await browser(true);
  const asked = { primitive: "restart", input: { namespace: "prod", services: ["web"] } };
  const code = async (path: string, body: unknown) => JSON.parse((await post(path, body)).body).error?.code;
  expect(await code("/change/apply", { prepared: "PLAN1" })).toBe("invalid_input");
  expect(JSON.parse((await post("/change/preview", asked)).body)).toMatchObject({
    kind: "preview",
    plan: PLAN,
  });
  expect(JSON.parse(daemon.received.at(-1)?.body ?? "")).toEqual({
    ...asked,
    mode: "prepare",
    by: "me@laptop",
  });
  const applied = await post("/change/apply", { prepared: "PLAN1" });
  expect(JSON.parse(applied.body)).toEqual({ kind: "started", operation: "OP1" });
  expect(JSON.parse(daemon.received.at(-1)?.body ?? "")).toMatchObject({
    mode: "apply",
    prepared: "PLAN1",
    input: null,
  });
  expect(await code("/change/apply", { prepared: "PLAN1" })).toBe("invalid_input");
  expect(await code("/change/preview", { primitive: "namespace-rm", input: { namespace: "prod" } })).toBe(
    "invalid_input",
  );
  expect(await code("/change/abort", { operation: "OP1" })).toBe("invalid_input");
  expect(JSON.parse((await post("/change/abort", { operation: "OP1", confirm: "OP1" })).body).state).toBe(
    "aborted",
  );
});

it("an address for one use opens one session, within a minute", () => {
  let now = 0;
  const keys = openKeys("c", () => now);
  const [once, late, printed] = [keys.token(true), keys.token(true), keys.token(false)];
  const session = keys.redeem(once);
  expect(session).toBeDefined();
  expect(keys.redeem(once)).toBeUndefined();
  now = 61_000;
  expect(keys.redeem(late)).toBeUndefined();
  expect(keys.redeem(printed)).toBe(session);
  expect(keys.redeem(printed)).toBe(session);
  expect(keys.holds(`a=b; c=${session}`)).toBe(true);
  expect(keys.holds("c=")).toBe(false);
});

it("a browser is opened where there is a screen and a terminal", () => {
  expect(openerOf("linux", { DISPLAY: ":0" }, true)).toBe("xdg-open");
  expect(openerOf("linux", {}, true)).toBeUndefined();
  expect(openerOf("darwin", {}, true)).toBe("open");
  expect(openerOf("darwin", { SSH_CONNECTION: "x" }, true)).toBeUndefined();
  expect(openerOf("linux", { DISPLAY: ":0" }, false)).toBeUndefined();
});

it("the files are those of the first folder that has a page; without one the error says what to do", async () => {
  const folder = await mkdtemp(join(tmpdir(), "page-"));
  await writeFile(join(folder, "index.html"), "<p>");
  await writeFile(join(folder, "secret.txt"), "no");
  const files = await pageFiles(["./nowhere", join("../../../../../../../../../..", folder)]);
  expect([...files.keys()]).toEqual(["/index.html"]);
  await expect(pageFiles(["./nowhere"])).rejects.toMatchObject({ code: "dashboard_missing" });
  expect(await readFile(join(folder, "index.html"), "utf8")).toBe("<p>");
  await rm(folder, { recursive: true });
});
