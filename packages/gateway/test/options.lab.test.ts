import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { waitFor } from "@ployz/exec";
import { expect, it } from "vitest";
import type { GatewayOptions, RedirectRoute, Route, RouteOptions, Server } from "../src/index.ts";
import { later, openLab, serverOf } from "./lab.ts";
import { type FetchOptions, fetchVia } from "./load.ts";
import { type Seen, sendRaw, startRecorder } from "./raw.ts";

const SHA512 =
  "$6$rounds=1000$saltsalt$dfMP2LY3oP.RCle.MrovYod7J5ZWd7wa2WJOtw1cdMugHgIZ8H3PUFaxN7fS6Rbcl4YomrlE/fCkobwA8g/as/";
const BCRYPT = "$2b$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC";
const hex = (text: string): string => Buffer.from(text).toString("hex");
const route = (
  host: string,
  servers: readonly Server[],
  options?: RouteOptions,
  more: { readonly path?: string; readonly httpsOnly?: boolean } = {},
): Route => ({
  ...{ kind: "http", id: `web/${hex(host + (more.path ?? ""))}`, host, path: "/", ...more },
  backend: { id: "prod/web/http", servers },
  ...(options && { options }),
});
/** Of other instances than the recorder. */
const elsewhere = (one: Route): Route =>
  one.kind === "http" ? { ...one, backend: { ...one.backend, id: "prod/other/http" } } : one;
const redirect = (host: string, to: string, status: RedirectRoute["status"], path = "/"): Route => ({
  ...{ kind: "redirect", id: `to/${hex(host + path)}`, host, path, to, status },
});

const sendHttp2 = (port: number, headers: Readonly<Record<string, string>>, body = ""): Promise<number> =>
  new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on("error", reject);
    const stream = session.request({ ":authority": "body.test", ...headers }, { endStream: body === "" });
    stream.on("response", (answer) => {
      resolve(Number(answer[":status"]));
      session.destroy();
    });
    stream.on("error", reject);
    if (body !== "") stream.end(body);
  });

async function open(more: Partial<GatewayOptions> = {}) {
  const lab = await openLab(more);
  const recorder = await startRecorder("web");
  later(recorder.close);
  const ask = (host: string, path = "/", options: Partial<FetchOptions> = {}) =>
    fetchVia(lab.port, { host, path, ...options });
  const apply = (version: string, ...routes: Route[]) => lab.gateway.apply({ version, routes });
  const last = (): Seen => recorder.seen.at(-1) ?? { url: "", headers: {}, trailers: {} };
  return { ...lab, recorder, server: recorder.address, ask, apply, last };
}

it("answers for routes in maintenance, redirects hosts and paths, and learns a new one without a reload", async () => {
  const { ask, apply, server, recorder } = await open();
  await apply(
    "1",
    redirect("old.test", "https://www.new.test", 308),
    redirect("*.wild.test", "https://wild.test", 301),
    redirect("www.test", "https://docs.test/v2?x=1&y=%20'$(z)'", 302, "/docs"),
    redirect("www.test", "/new", 307, "/old"),
    route("www.test", [server]),
    route("away.test", [server], { maintenance: true }),
  );
  const away = await ask("away.test", "/x", { method: "POST" });
  expect(away).toMatchObject({ status: 503, headers: { "retry-after": "120", "content-type": "text/html" } });
  expect(away.body).toContain("<h1>Down for maintenance</h1>");
  const to = async (host: string, path: string) => {
    const { status, headers } = await ask(host, path);
    return [status, headers.location];
  };
  expect(await to("old.test", "/a/b%20c?d=e&f=%2F")).toEqual([308, "https://www.new.test/a/b%20c?d=e&f=%2F"]);
  expect(await to("OLD.test:8080", "/")).toEqual([308, "https://www.new.test/"]);
  expect(await to("x.wild.test", "/p?q")).toEqual([301, "https://wild.test/p?q"]);
  expect(await to("www.test", "/docs/deep?q")).toEqual([302, "https://docs.test/v2?x=1&y=%20'$(z)'"]);
  expect(await to("www.test", "/old/x")).toEqual([307, "/new"]);
  expect((await ask("www.test", "/")).status).toBe(200);
  expect(recorder.seen).toHaveLength(1);
  const changed = await apply(
    "2",
    redirect("old.test", "https://other.test", 308),
    redirect("older.test", "https://www.new.test", 308),
    redirect("*.wild.test", "https://wild.test", 301),
    redirect("www.test", "https://docs.test/v3", 302, "/docs"),
    redirect("www.test", "/new", 307, "/old"),
    route("www.test", [server]),
    route("away.test", [server], { maintenance: true }),
  );
  expect(changed.changed).toBe("runtime");
  expect(await to("older.test", "/a")).toEqual([308, "https://www.new.test/a"]);
  expect(await to("old.test", "/a")).toEqual([308, "https://other.test/a"]);
  expect(await to("www.test", "/docs")).toEqual([302, "https://docs.test/v3"]);
});

it("strips and adds prefixes, edits headers byte for byte, and compresses", async () => {
  const { ask, apply, server, last, upstream } = await open();
  const text = serverOf(await upstream("text"));
  const long = "v".repeat(8192 - "X-Long".length);
  const hostile = String.raw`a"b'c\d $HOME $\{HOME} %[src] %{+Q}o %% # ; {x} \x41  two  spaces`;
  await apply(
    "1",
    route("api.test", [server], { stripPrefix: "/api" }, { path: "/api/v1" }),
    route("u.test", [server], { stripPrefix: "/c%C3%A9+(x)" }, { path: "/c%C3%A9+(x)" }),
    route("both.test", [server], { stripPrefix: "/a", addPrefix: "/b$'%20/c" }, { path: "/a" }),
    route("add.test", [server], { addPrefix: "/deep/er" }),
    elsewhere(route("zip.test", [text], { compression: true })),
    elsewhere(route("raw.test", [text])),
    route("long.test", [server], { requestHeaders: { "X-Long": long }, responseHeaders: { "X-Long": long } }),
    route("head.test", [server], {
      requestHeaders: { "X-One": hostile, "User-Agent": "", Host: "inner.test" },
      responseHeaders: { "Strict-Transport-Security": "max-age=63072000", "X-Two": hostile, Date: "" },
    }),
  );
  expect((await ask("long.test")).headers["x-long"]).toBe(long);
  expect(last().headers["x-long"]).toBe(long);
  const seen = async (host: string, path: string) => {
    const { status } = await ask(host, path);
    return status === 200 ? last().url : status;
  };
  expect(await seen("api.test", "/api/v1")).toBe("/v1");
  expect(await seen("api.test", "/api/v1/x?y=/api/v1")).toBe("/v1/x?y=/api/v1");
  expect(await seen("api.test", "/api/v1/%2561")).toBe("/v1/%2561");
  expect(await seen("api.test", "/api/v1x")).toBe(404);
  expect(await seen("u.test", "/c%C3%A9+(x)/y")).toBe("/y");
  expect(await seen("u.test", "/c%C3%A9%2B%28x%29")).toBe("/");
  expect(await seen("both.test", "/a/x?q=1")).toBe("/b$'%20/c/x?q=1");
  expect(await seen("both.test", "/a")).toBe("/b$'%20/c/");
  expect(await seen("add.test", "/x//y")).toBe("/deep/er/x//y");
  const answer = await ask("head.test", "/", { headers: { "User-Agent": "curl", "X-One": "mine" } });
  expect(last().headers).toMatchObject({ "x-one": hostile, host: "inner.test" });
  expect(last().headers).not.toHaveProperty("user-agent");
  expect(answer.headers).toMatchObject({
    "strict-transport-security": "max-age=63072000",
    "x-two": hostile,
  });
  expect(answer.headers).not.toHaveProperty("date");
  const wanted = { "X-Pad": "x".repeat(4000), "Accept-Encoding": "gzip" };
  expect((await ask("zip.test", "/", { headers: wanted })).headers).toMatchObject({
    ...{ "content-encoding": "gzip", vary: "Accept-Encoding" },
  });
  expect((await ask("zip.test")).headers).not.toHaveProperty("content-encoding");
  expect((await ask("raw.test", "/", { headers: wanted })).headers).not.toHaveProperty("content-encoding");
});

it("knows the client behind trusted proxies, and lets only the allowed ones and methods through", async () => {
  const behind = { trustedProxies: ["127.0.0.0/8", "192.0.2.0/24"] };
  for (const options of [{}, behind]) {
    const { ask, apply, server } = await open(options);
    await apply(
      "1",
      route("in.test", [server], { allow: ["10.0.0.0/8", "2001:db8::/32", "127.0.0.1"], deny: ["10.6.6.6"] }),
      route("out.test", [server], { deny: ["10.0.0.0/8"] }),
      route("get.test", [server], { methods: ["GET", "HEAD"] }),
    );
    const from = async (host: string, client: string) =>
      (await ask(host, "/", { headers: { "X-Forwarded-For": client } })).status;
    const trusted = options === behind;
    // Untrusted, the client is 127.0.0.1 whatever it says.
    expect(await from("in.test", "10.1.1.1")).toBe(200);
    expect(await from("in.test", "11.1.1.1")).toBe(trusted ? 403 : 200);
    expect(await from("in.test", "2001:db8::7")).toBe(200);
    expect(await from("in.test", "10.6.6.6")).toBe(trusted ? 403 : 200);
    // The client says 10.1.1.1, the proxy says otherwise; a second proxy says so too.
    expect(await from("in.test", "10.1.1.1, 11.1.1.1")).toBe(trusted ? 403 : 200);
    expect(await from("in.test", "10.1.1.1, 11.1.1.1, 192.0.2.9, 192.0.2.8")).toBe(trusted ? 403 : 200);
    expect(await from("out.test", "10.1.1.1")).toBe(trusted ? 403 : 200);
    expect(await from("out.test", "11.1.1.1")).toBe(200);
    const denied = await ask("get.test", "/", { method: "DELETE" });
    expect([denied.status, denied.headers.allow]).toEqual([405, "GET, HEAD"]);
    expect((await ask("get.test")).status).toBe(200);
  }
});

it("lets users in by their passwords, and no client where there are none", async () => {
  const { ask, apply, server, last, dir, gateway } = await open();
  // "right", by SHA-512 with 1,000 rounds and by bcrypt.
  const users = [
    { name: "ann", hash: SHA512 },
    { name: "bob@x.test", hash: BCRYPT },
  ];
  await apply(
    "1",
    route("in.test", [server], { basicAuth: { realm: "prod", users } }),
    route("none.test", [server], { basicAuth: { realm: "prod", users: [] } }),
  );
  const as = async (name: string, password: string, host = "in.test") => {
    const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;
    return (await ask(host, "/", { headers: { authorization } })).status;
  };
  const unknown = await ask("in.test");
  expect([unknown.status, unknown.headers["www-authenticate"]]).toEqual([401, 'Basic realm="prod"']);
  expect(await as("ann", "right")).toBe(200);
  expect(last().headers).not.toHaveProperty("authorization");
  expect(await as("bob@x.test", "right")).toBe(200);
  for (const [name, password] of [
    ...[
      ["ann", "wrong"],
      ["bob@x.test", "wrong"],
      ["eve", "right"],
      ["ann", ""],
      ["", "right"],
    ],
    ...[
      ["ann", SHA512],
      ["ANN", "right"],
    ],
  ])
    expect(await as(name ?? "", password ?? "")).toBe(401);
  expect(await as("ann", "right", "none.test")).toBe(401);
  const { routes } = await gateway.status();
  expect(routes.map(({ place, options }) => [place, options])).toEqual([
    ["in.test/", ["basicAuth"]],
    ["none.test/", ["basicAuth"]],
  ]);
  expect(JSON.stringify(routes)).not.toContain("saltsalt");
  for (const file of ["haproxy.cfg", "table.json"])
    expect((await stat(join(dir, "current", file))).mode & 0o777).toBe(0o600);
});

it("limits bodies, rates, requests at once and time, each client by itself", async () => {
  const lab = await open({ trustedProxies: ["127.0.0.0/8"] });
  const { ask, apply, server } = lab;
  const upstream = await lab.upstream("slow");
  const slow = serverOf(upstream);
  await apply(
    "1",
    route("body.test", [server], { limits: { bodyBytes: 1024 } }),
    route("rate.test", [server], { limits: { rate: { count: 5, windowMs: 60_000 } } }),
    route("again.test", [server], { limits: { rate: { count: 5, windowMs: 60_000 } } }),
    elsewhere(route("slow.test", [slow], { limits: { connections: 2 } })),
    elsewhere(route("late.test", [slow], { limits: { timeoutMs: 300 } })),
  );
  const post = async (bytes: number, headers = {}) =>
    (await ask("body.test", "/", { method: "POST", body: "x".repeat(bytes), headers })).status;
  expect(await post(1024, { "Content-Length": "1024" })).toBe(200);
  expect(await post(1025, { "Content-Length": "1025" })).toBe(413);
  expect(await post(10, { "Transfer-Encoding": "chunked" })).toBe(411);
  // Lengths that 32 bits do not hold.
  for (const length of [2 ** 31, 3e9, 2 ** 32, 2 ** 32 + 100, Number.MAX_SAFE_INTEGER])
    expect(
      await sendRaw(lab.port, `POST / HTTP/1.1\r\nHost: body.test\r\nContent-Length: ${length}\r\n\r\n`),
    ).toEqual([413]);
  for (const method of ["POST", "GET"]) {
    expect(await sendHttp2(lab.port, { ":method": method }, "0123456789")).toBe(411);
    expect(await sendHttp2(lab.port, { ":method": method })).toBe(200);
  }
  const sized = { ":method": "POST", "content-length": "10" };
  expect(await sendHttp2(lab.port, sized, "0123456789")).toBe(200);
  expect((await ask("body.test")).status).toBe(200);
  const from = (host: string, client: string, path = "/") =>
    ask(host, path, { headers: { "X-Forwarded-For": client } });
  const statuses = [];
  for (let index = 0; index < 7; index++) statuses.push((await from("rate.test", "10.0.0.1")).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
  expect((await from("rate.test", "10.0.0.1")).headers["retry-after"]).toBe("60");
  expect((await from("rate.test", "10.0.0.2")).status).toBe(200);
  expect((await from("again.test", "10.0.0.1")).status).toBe(200);
  const busy = [1, 2].map(() => from("slow.test", "10.0.0.1", "/?ms=1000"));
  await waitFor("two to be busy", async () => upstream.busy() === 2 || undefined, {
    ...{ timeoutMs: 5000, intervalMs: 10 },
  });
  expect((await from("slow.test", "10.0.0.1")).status).toBe(429);
  expect((await from("slow.test", "10.0.0.2")).status).toBe(200);
  expect((await Promise.all(busy)).map(({ status }) => status)).toEqual([200, 200]);
  expect((await from("slow.test", "10.0.0.1")).status).toBe(200);
  expect((await from("late.test", "10.0.0.1", "/?ms=800")).status).toBe(504);
});

it("keeps a client at its instance, over reloads, until that leaves", async () => {
  const lab = await open();
  const upstreams = await Promise.all(["a", "b", "c"].map((name) => lab.upstream(name)));
  const servers = upstreams.map(serverOf);
  const sticky = (version: string, on: readonly Server[], ...more: Route[]) =>
    lab.apply(version, route("s.test", on, { sticky: "cookie" }), ...more);
  await sticky("1", servers);
  const visit = async (cookie = "") => {
    const { status, headers, body } = await lab.ask("s.test", "/", {
      headers: cookie === "" ? {} : { cookie },
    });
    const { name, headers: sent } = JSON.parse(body) as { name: string; headers: Record<string, string> };
    expect(status).toBe(200);
    return { name, set: [headers["set-cookie"]].flat().join(""), sent: sent.cookie };
  };
  const first = await visit();
  expect(first.set).toMatch(/^ployz-[0-9a-f]{12}=[0-9a-f]{16}; path=\/; HttpOnly; SameSite=Lax$/);
  const cookie = first.set.split(";")[0] ?? "";
  const stays = async () => {
    for (let index = 0; index < 6; index++)
      expect(await visit(`own=1; ${cookie}`)).toEqual({ name: first.name, set: "", sent: "own=1" });
  };
  await stays();
  expect(
    (await sticky("2", [...servers].reverse(), route("new.test", servers, { compression: true }))).changed,
  ).toBe("reload");
  await stays();
  const rest = servers.filter(({ id }) => id !== first.name);
  expect((await sticky("3", rest, route("new.test", rest, { compression: true }))).changed).toBe("runtime");
  const moved = await visit(cookie);
  expect(moved.name).not.toBe(first.name);
  expect(moved.set).not.toBe("");
  // A drained instance gets no request of its own clients either; one that is back does.
  const own = moved.set.split(";")[0] ?? "";
  await lab.gateway.drain(moved.name);
  expect((await visit(own)).name).not.toBe(moved.name);
  await lab.gateway.undrain(moved.name);
  expect((await visit(own)).name).toBe(moved.name);
  expect((await lab.gateway.status()).difference).toBeUndefined();
});

it("asks instances with the Host, the headers and for the status that mean ready", async () => {
  const lab = await open();
  const asked: (readonly [string | undefined, string | undefined])[] = [];
  const app = createServer(({ headers, url }, response) => {
    if (url !== "/up?full=1") return void response.end("{}");
    const mine = headers.host === "app.test" && headers["x-check"] === `a "b" %[src] $HOME`;
    asked.push([headers.host, headers["user-agent"]]);
    response.writeHead(mine ? 418 : 200).end();
  });
  await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
  later(() => app.close());
  const server = serverOf({ name: "app", port: (app.address() as AddressInfo).port });
  const check = { kind: "http", path: "/up?full=1", host: "app.test" } as const;
  const checked = (id: string, host: string, more: object): Route => ({
    ...{ kind: "http", id, host, path: "/" },
    backend: { id: `prod/${id}/http`, servers: [server], check: { ...check, ...more } },
  });
  await lab.apply(
    "1",
    checked("good", "good.test", { headers: { "X-Check": `a "b" %[src] $HOME` }, status: [204, 418] }),
    checked("bad", "bad.test", { status: [204] }),
  );
  await waitFor(
    "the second to be down",
    async () => (await lab.gateway.status()).servers.some(({ state }) => state === "down") || undefined,
    { timeoutMs: 10_000, intervalMs: 20 },
  );
  const { servers } = await lab.gateway.status();
  expect(servers.map(({ backend, state }) => [backend, state])).toEqual([
    ["prod/bad/http", "down"],
    ["prod/good/http", "up"],
  ]);
  expect((await lab.ask("good.test")).status).toBe(200);
  expect(new Set(asked.map(String))).toEqual(new Set(["app.test,ployz-readiness"]));
});

it("holds requests of a route whose path and headers it changes", async () => {
  const lab = await open();
  const options = { stripPrefix: "/api", addPrefix: "/v2", limits: { rate: { count: 3, windowMs: 60_000 } } };
  const table = (version: string, servers: readonly Server[]) =>
    lab.apply(version, route("h.test", servers, options, { path: "/api" }), route("h.test", servers));
  const gone = await lab.upstream("gone");
  await table("1", [serverOf(gone)]);
  expect(await lab.gateway.hold((id) => id === "prod/web/http", 30_000)).toEqual(["prod/web/http"]);
  await gone.kill();
  const waiting = [1, 2, 3].map((index) => lab.ask("h.test", `/api/${index}`, { method: "POST" }));
  await waitFor(
    "them to wait",
    async () => (await lab.gateway.status()).holds.some((one) => one.waiting >= 3) || undefined,
    { timeoutMs: 10_000, intervalMs: 20 },
  );
  await table("2", [lab.server]);
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(lab.recorder.seen.map(({ url }) => url).sort()).toEqual(["/v2/1", "/v2/2", "/v2/3"]);
  expect((await lab.ask("h.test", "/api/4")).status).toBe(429);
});

it("loads 2,000 routes with options and 2,000 redirects", async () => {
  const lab = await open();
  const sets = Array.from({ length: 40 }, (_, index) => ({ responseHeaders: { "X-Set": `${index}` } }));
  const routes = Array.from({ length: 2000 }, (_, index) => [
    route(`h${index}.test`, [lab.server], sets[index % sets.length]),
    redirect(`h${index}.test`, `https://r${index}.test`, 308, "/r"),
  ]).flat();
  await lab.apply("1", ...routes);
  expect((await lab.ask("h1999.test")).headers["x-set"]).toBe("39");
  expect((await lab.ask("h1999.test", "/r")).headers.location).toBe("https://r1999.test/r");
});

it("marks the sticky cookie Secure for clients that come over TLS, where plain HTTP is served too", async () => {
  const { ask, apply, server } = await open({ trustedProxies: ["127.0.0.0/8"] });
  await apply("1", route("s.test", [server], { sticky: "cookie", responseHeaders: { "X-Own": "1" } }));
  const cookie = async (proto: string): Promise<string> => {
    const { headers } = await ask("s.test", "/", { headers: { "x-forwarded-proto": proto } });
    return String(headers["set-cookie"]);
  };
  expect(await cookie("https")).toMatch(/^ployz-[0-9a-f]{12}=[^;]+;.*SameSite=Lax; Secure$/);
  expect(await cookie("http")).toMatch(/^ployz-[0-9a-f]{12}=[^;]+;.*SameSite=Lax$/);
});
