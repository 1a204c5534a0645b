import { expect, test } from "vitest";
import type { RouteSpec } from "../model/commit.ts";
import { normalise } from "./normalise.ts";
import { parseManifest } from "./parse.ts";

const manifest = (...routes: readonly string[]) =>
  parseManifest(
    `namespace = "prod"\n[services.web]\nimage = "x"\nports = { http = 80 }\nroutes = [${routes.join(", ")}]`,
    "toml",
  );
const on = (text: string) => `{ host = "a.b", ${text} }`;

function faults(...routes: readonly string[]): readonly string[] {
  const parsed = manifest(...routes);
  return parsed.ok ? [] : parsed.refusals.map(({ message }) => message);
}

test.each<[string, RouteSpec]>([
  [
    on('redirect = "https://www.a.b"'),
    { kind: "http", host: "a.b", path: "/", redirect: { to: "https://www.a.b", status: 308 } },
  ],
  [
    on('path = "/old/", redirect = "/new?x=%20", status = 302, tls = true'),
    { kind: "http", host: "a.b", path: "/old", tls: true, redirect: { to: "/new?x=%20", status: 302 } },
  ],
  [
    on(
      `path = "/api/v1", strip_prefix = "/api/", add_prefix = "/v2/", methods = ["POST", "GET"], basic_auth = { secret = "team" },
       allow = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"], deny = ["10.1.0.0/16"], compression = true, sticky = "cookie",
       headers = { request = { X-B = "", X-A = "1 %[src] \\"q\\" $HOME" }, response = { Server = "" } },
       limits = { body = "20M", rate = "50/s", timeout = "none", connections = 10 }`.replaceAll("\n", " "),
    ),
    {
      ...{ kind: "http", host: "a.b", path: "/api/v1", port: "http" },
      options: {
        allow: ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"],
        deny: ["10.1.0.0/16"],
        methods: ["GET", "POST"],
        limits: {
          bodyBytes: 20 * 1024 ** 2,
          rate: { count: 50, windowMs: 1000 },
          connections: 10,
          timeoutMs: "none",
        },
        basicAuth: { secret: "team" },
        stripPrefix: "/api",
        addPrefix: "/v2",
        requestHeaders: { "X-A": '1 %[src] "q" $HOME', "X-B": "" },
        responseHeaders: { Server: "" },
        sticky: "cookie",
        compression: true,
      },
    },
  ],
  [on('strip_prefix = "/"'), { kind: "http", host: "a.b", path: "/", port: "http" }],
])("%s is read", (text, route) => {
  const parsed = manifest(text);
  expect(parsed.ok && normalise(parsed.manifest).services.web?.routes).toEqual([route]);
});

test.each([
  ["status = 302", "status: is for routes with `redirect` only"],
  ['redirect = "https://x", status = 303', "status: "],
  ['redirect = "https://x", port = "http"', "port: is not for a redirect"],
  ['redirect = "https://x", compression = true', "compression: is not for a redirect"],
  ['redirect = "https://a.b"', 'redirect: "https://a.b" leads to this route again'],
  ['redirect = "https://a.b/x"', 'redirect: "https://a.b/x" leads to this route again'],
  ['redirect = "/x"', 'redirect: "/x" leads to this route again'],
  ...[
    ...["//evil.test", "ftp://x", "https://u@x", "https://x y", "https://x/%[src]\\n", "javascript:x", ""],
    ...['https://x/\\"', "https://x:99999", "https://x/\\\\", `https://x/${"y".repeat(3000)}`],
  ].map((to) => [`redirect = "${to}"`, "redirect: "]),
  ['path = "/apix", strip_prefix = "/api"', "strip_prefix: the route's path /apix does not begin with /api"],
  ['add_prefix = "/a\\nb"', "add_prefix: "],
  ['add_prefix = "v2"', "add_prefix: "],
  ['headers = { response = { "X-A\\r\\nB" = "1" } }', 'headers.response."X-A\\r\\nB": '],
  ['headers = { response = { "X A" = "1" } }', 'headers.response."X A": '],
  ['headers = { response = { X-A = "a\\r\\nSet-Cookie: b" } }', "headers.response.X-A: "],
  ['headers = { response = { X-A = " a" } }', "headers.response.X-A: "],
  ['headers = { response = { X-A = "\\u0000" } }', "headers.response.X-A: "],
  ['headers = { response = { X-A = "ü" } }', "headers.response.X-A: "],
  [`headers = { response = { X-A = "${"a".repeat(9000)}" } }`, "headers.response.X-A: "],
  [
    `headers = { response = { X-A = "${"a".repeat(8000)}", X-B = "${"a".repeat(8000)}" } }`,
    "headers.response: the headers take 16006 bytes together",
  ],
  ['headers = { response = { X-A = "1", x-a = "2" } }', "headers.response.x-a: is given twice"],
  ['headers = { request = { Connection = "close" } }', "headers.request.Connection: belongs to"],
  ['headers = { response = { Transfer-Encoding = "" } }', "headers.response.Transfer-Encoding: belongs to"],
  ['headers = { request = { X_Forwarded-For = "1.1.1.1" } }', "headers.request.X_Forwarded-For: is set by"],
  ['headers = { request = { Host = "" } }', 'headers.request.Host: "" is not a host name'],
  ["headers = {}", "headers: "],
  ['headers = { answer = { A = "b" } }', "headers.answer: unknown field"],
  ['allow = ["10.0.0.0/33"]', 'allow[0]: "10.0.0.0/33" is not a network'],
  ['deny = ["10.0.0.0/8", "1.2.3"]', 'deny[1]: "1.2.3" is not a network'],
  ['deny = ["0.0.0.0/0\\n"]', "deny[0]: "],
  ["allow = []", "allow: "],
  ["basic_auth = {}", "basic_auth.secret: "],
  ['basic_auth = { secret = "Team/x" }', "basic_auth.secret: "],
  ['redirect = "https://x", basic_auth = { secret = "team" }', "basic_auth: is not for a redirect"],
  ['methods = ["get"]', "methods[0]: "],
  ['methods = ["GET HEAD"]', "methods[0]: "],
  ['limits = { body = "0M" }', "limits.body: must be from 1K"],
  ['limits = { body = "20" }', "limits.body: "],
  ['limits = { rate = "50" }', "limits.rate: "],
  ['limits = { rate = "0/s" }', "limits.rate: "],
  ['limits = { timeout = "25h" }', "limits.timeout: 25h is longer than a day"],
  ['limits = { timeout = "0s" }', "limits.timeout: must be longer"],
  ["limits = { connections = 0 }", "limits.connections: "],
  ['sticky = "ip"', "sticky: "],
])("%s is refused with the field", (text, message) => {
  const found = faults(on(text ?? ""));
  expect(found).toEqual([expect.stringMatching(/^services\.web\.routes\[0\]\./)]);
  expect(found[0]?.slice("services.web.routes[0].".length)).toContain(message);
});

test("options are for HTTP, and a redirect may lead to another route of its host", () => {
  expect(faults('{ tcp = 9000, methods = ["GET"] }', '{ tcp = 9001, redirect = "/x" }')).toEqual([
    "services.web.routes[0].methods: is for HTTP routes only",
    "services.web.routes[1].redirect: is for HTTP routes only",
  ]);
  expect(faults(on('redirect = "/x"'), on('path = "/x"'))).toEqual([]);
  expect(faults('{ host = "*.a.b", redirect = "https://a.b" }')).toEqual([]);
});

test.each([
  ["/a%41", "/aA"],
  ["/caf%c3%a9", "/caf%C3%A9/"],
  ["/a%3Ab%2B", "/a:b+"],
])("%s and %s are one path, and stay as they are written", (one, other) => {
  const [route, twin] = [on(`path = "${one}"`), on(`path = "${other}"`)];
  expect(faults(route, twin)).toEqual([
    expect.stringContaining("is routed by services.web.routes[0] already"),
  ]);
  const parsed = manifest(route);
  expect(parsed.ok && normalise(parsed.manifest).services.web?.routes[0]).toMatchObject({ path: one });
});

test("a UDP port is a route by itself, also beside TCP on the same port", () => {
  const parsed = manifest("{ udp = 53 }", "{ tcp = 9000 }", "{ udp = 9000 }");
  expect(parsed.ok && normalise(parsed.manifest).services.web?.routes).toEqual([
    { kind: "tcp", listen: 9000, port: "http" },
    { kind: "udp", listen: 53, port: "http" },
    { kind: "udp", listen: 9000, port: "http" },
  ]);
  expect(faults("{ udp = 53 }", "{ udp = 53 }")).toEqual([
    "services.web.routes[1]: UDP port 53 is routed by services.web.routes[0] already",
  ]);
  expect(faults("{ udp = 53, tcp = 53 }")[0]).toContain("needs either `host` (HTTP), or `tcp` or `udp`");
  expect(faults("{ udp = 51820 }")).toEqual(["services.web.routes[0].udp: port 51820 is kept for WireGuard"]);
  expect(faults('{ udp = 9000, path = "/x", tls = true }')).toEqual([
    "services.web.routes[0].path: is for HTTP routes only",
    "services.web.routes[0].tls: is for HTTP routes only",
  ]);
});
