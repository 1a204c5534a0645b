import { connect, type Socket } from "node:net";
import { expect, it } from "vitest";
import type { GatewayOptions, RouteTable, Server } from "../src/index.ts";
import { later, openLab } from "./lab.ts";
import { get, sendRaw, startRecorder } from "./raw.ts";

const route = (host: string, path: string, server: Server) => ({
  kind: "http" as const,
  id: `${host}/${Buffer.from(path).toString("hex")}`,
  host,
  path,
  backend: { id: `b/${server.id}/http`, servers: [server] },
});

/** `raw.test` has nothing but `/pub`; `site.test` has its paths in two hands. */
async function openEdge(options: Partial<GatewayOptions> = {}) {
  const lab = await openLab(options);
  const [pub, web, admin] = await Promise.all(["pub", "web", "admin"].map(startRecorder));
  if (!pub || !web || !admin) throw new Error("three were started");
  for (const { close } of [pub, web, admin]) later(close);
  const table: RouteTable = {
    version: "1",
    routes: [
      route("raw.test", "/pub", pub.address),
      route("site.test", "/", web.address),
      route("site.test", "/admin", admin.address),
      route("site.test", "/%c3%bc%20x", admin.address),
    ],
  };
  await lab.gateway.apply(table);
  const all = () => [...pub.seen, ...web.seen, ...admin.seen];
  return { ...lab, pub, web, admin, all };
}

it("refuses a path that leaves its route in some reading, and sends it to no instance", async () => {
  const edge = await openEdge();
  const up = [
    "..",
    "%2e%2e",
    ".%2E",
    "%252e%252e",
    "%25%32%65.",
    "..;",
    "..;a=b",
    "%2e.%3b",
    ".",
    "%2e",
    ".;",
  ];
  const between = ["/", "//", "\\", "%2f", "%5C", "%252F", "%255c", "%25%32%66"];
  const paths = [
    ...up.flatMap((dots) => between.map((slash) => `/pub${slash}${dots}${slash}s`)),
    ...up.map((dots) => `/pub/${dots}`),
    ...["/pub/x%00", "/pub/..%00/s", "/pub/%2500", "/pub/%", "/pub/%2", "/pub/%zz", "/pub/%u002e%u002e/s"],
    ...["/pub/%c0%ae%c0%ae/s", "/pub/\xc0\xae\xc0\xae/s", "/pub/..%c0%afs", "/pub/x#/../s"],
    ...["http://raw.test/pub/../s", "http://raw.test/pub/%2e%2e/s"],
  ];
  const passed = [];
  for (const path of paths) {
    const [status] = await sendRaw(edge.port, get(path));
    if (status !== 400) passed.push([path, status]);
  }
  expect(passed).toEqual([]);
  expect(edge.all()).toEqual([]);
});

it("refuses a path whose plain reading belongs to another route", async () => {
  const edge = await openEdge();
  for (const path of [
    ...["/%61dmin", "/%2561dmin", "/admi%6e/x", "/admin%2fx", "/admin%252fx", "/admin\\x", "/admin%5cx"],
    ...[
      "//admin",
      "///admin/x",
      "/\\admin",
      "/%2fadmin",
      "/admin;a=b",
      "/admin;/x",
      "/admin%3bx/y",
      "/;a/admin",
    ],
  ])
    expect([path, ...(await sendRaw(edge.port, get(path, ["Host: site.test"])))]).toEqual([path, 400]);
  for (const path of ["//pub/s", "/%70ub/s", "/pub%2fs", "/pub;a/s", "/PUB/s", "/"])
    expect([path, ...(await sendRaw(edge.port, get(path)))]).toEqual([path, 404]);
  expect(edge.all()).toEqual([]);
});

it("forwards every other path as it was sent", async () => {
  const edge = await openEdge();
  const paths = [
    ...[
      "/pub",
      "/pub/",
      "/pub/a%20b",
      "/pub/.well-known/x",
      "/pub/...",
      "/pub/..a",
      "/pub/a..",
      "/pub/a//b",
      "/pub/%2Fa",
    ],
    ...[
      "/pub/a;v=1/b",
      "/pub/100%25",
      "/pub/%25%20",
      "/pub/g%2fp/x",
      "/pub/%C3%BC",
      "/pub/~a",
      "/pub/%7Ea",
      "/pub/a\\b",
    ],
    ...["/pub/?next=/../s", "/pub?a=%2e%2e/%00", "/pub/a@b,(c)!'"],
  ];
  for (const path of paths) expect([path, ...(await sendRaw(edge.port, get(path)))]).toEqual([path, 200]);
  expect(edge.pub.seen.map(({ url }) => url)).toEqual(paths);
  for (const path of ["/%C3%BC%20x/y", "/%c3%bc%20x"])
    await sendRaw(edge.port, get(path, ["Host: site.test"]));
  expect(edge.admin.seen).toHaveLength(2);
  expect(await sendRaw(edge.port, get("/a//b;c/%61", ["Host: site.test"]))).toEqual([200]);
});

it("refuses a Host that is not one host name", async () => {
  const edge = await openEdge();
  const hosts = [
    ...[
      "raw.test/pub",
      "raw.test/pub:80",
      "raw.test:80/pub",
      "evil, raw.test",
      "raw.test, evil",
      "raw.test,",
      "",
      " ",
    ],
    ...[
      "u@raw.test",
      "raw.test:",
      "raw.test:x",
      "raw.test:80:80",
      "[::1]",
      "[::1]:80",
      "raw.test?",
      "raw.test#",
      "raw.test\\pub",
    ],
    ...["raw.test%2fpub", "r\xe4w.test", "raw test", "*.test", "http://raw.test"],
  ];
  for (const host of hosts)
    for (const path of ["/pub/x", "/secret", "/pub/secret"])
      expect([host, ...(await sendRaw(edge.port, get(path, [`Host: ${host}`])))]).toEqual([host, 400]);
  for (const headers of [[], ["Host: raw.test", "Host: evil.test"], ["Host: evil.test", "Host: raw.test"]])
    expect([headers, ...(await sendRaw(edge.port, get("/pub/x", headers)))]).toEqual([headers, 400]);
  expect(edge.all()).toEqual([]);
  for (const host of ["raw.test", "RAW.test:8080", "raw.test."])
    expect([host, ...(await sendRaw(edge.port, get("/pub/x", [`Host: ${host}`])))]).toEqual([host, 200]);
});

const upgrade = (...headers: readonly string[]): string =>
  `${["GET /pub HTTP/1.1", "Host: raw.test", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", ...headers].join("\r\n")}\r\n\r\n`;

it("upgrades to WebSocket, and not to HTTP/2", async () => {
  const edge = await openEdge();
  const settings = "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA";
  for (const headers of [
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", settings],
    ["Connection: Upgrade", "Upgrade: H2C"],
    ["Connection: Upgrade", "Upgrade: websocket, h2c"],
    ["Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"],
    ["Connection: Upgrade", "Connection: HTTP2-Settings", "Upgrade: foo,h2c", settings],
    ["Upgrade: websocket"],
  ])
    expect([headers, ...(await sendRaw(edge.port, upgrade(...headers)))]).toEqual([headers, 200]);
  for (const { headers } of edge.pub.seen) {
    expect(headers).not.toHaveProperty("upgrade");
    expect(headers).not.toHaveProperty("http2-settings");
  }
  expect(
    await sendRaw(
      edge.port,
      upgrade("Connection: keep-alive, Upgrade, X-Forwarded-For", "Upgrade: websocket"),
    ),
  ).toEqual([101]);
  expect(edge.pub.seen.at(-1)?.headers).toMatchObject({
    connection: expect.stringMatching(/^upgrade$/i),
    upgrade: "websocket",
  });
});

const CLAIMS = [
  ...[
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Ssl",
    "X-Forwarded",
  ],
  ...[
    "X-Forwarded-By",
    "X-Forwarded-Server",
    "X-Forwarded-Scheme",
    "X-Forwarded-User",
    "X-Forwarded-Uri",
    "Forwarded",
    "X-Real-IP",
    "Proxy",
  ],
  ...["X-Client-IP", "X-Original-URL", "X-Original-Host", "X-Rewrite-URL"],
];
const VARIANTS = CLAIMS.filter((name) => name.includes("-")).flatMap((name) =>
  ["_", ".", "+"].flatMap((one) => [name.replaceAll("-", one), name.replace("-", one)]),
);

it("passes on nothing that an unknown client says about itself", async () => {
  const edge = await openEdge();
  for (const name of [...CLAIMS, ...VARIANTS]) {
    const headers = ["Host: raw.test", `${name}: evil`, `${name.toLowerCase()}: evil`];
    expect([name, ...(await sendRaw(edge.port, get("/pub", headers)))]).toEqual([name, 200]);
    expect(JSON.stringify(edge.pub.seen.at(-1)), name).not.toContain("evil");
  }
  // A proxy or framework behind would remove the headers that the gateway sets.
  const named = [
    "Host: raw.test",
    "Connection: X-Forwarded-For, close",
    "X-Own: mine",
    "X-Forwardedness: mine",
  ];
  await sendRaw(edge.port, `GET /pub HTTP/1.1\r\n${named.join("\r\n")}\r\n\r\n`);
  expect(edge.pub.seen.at(-1)?.headers).toMatchObject({ "x-forwarded-for": "127.0.0.1", "x-own": "mine" });
  expect(edge.pub.seen.at(-1)?.headers.connection ?? "").not.toMatch(/forwarded/i);
});

const chunked = (trailer: string, announce: string): string =>
  `POST /pub HTTP/1.1\r\nHost: raw.test\r\n${announce}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n${trailer}\r\n\r\n`;

it("refuses a forwarded header that is announced as a trailer", async () => {
  const edge = await openEdge();
  for (const name of ["X-Forwarded-For", "x_forwarded_for", "Checksum, Forwarded"])
    expect(await sendRaw(edge.port, chunked("X-Forwarded-For: evil", `Trailer: ${name}\r\n`))).toEqual([400]);
  expect(edge.all()).toEqual([]);
  expect(await sendRaw(edge.port, chunked("Checksum: 1", "Trailer: Checksum\r\n"))).toEqual([200]);
  // One that is not announced cannot be removed by HAProxy 2.6: it stays apart from the headers.
  await sendRaw(edge.port, chunked("X-Forwarded-For: evil", ""));
  expect(edge.pub.seen.at(-1)?.headers["x-forwarded-for"]).toBe("127.0.0.1");
});

it("keeps a trusted proxy's headers, but no variant spelling that the proxy may have passed", async () => {
  const edge = await openEdge({ trustedProxies: ["127.0.0.0/8"] });
  for (const name of CLAIMS.filter((one) => one !== "Proxy")) {
    await sendRaw(edge.port, get("/pub", ["Host: raw.test", `${name}: kept`]));
    expect(edge.pub.seen.at(-1)?.headers[name.toLowerCase()], name).toMatch(/^kept/);
  }
  for (const name of ["Proxy", ...VARIANTS]) {
    await sendRaw(edge.port, get("/pub", ["Host: raw.test", `${name}: evil`]));
    expect(JSON.stringify(edge.pub.seen.at(-1)), name).not.toContain("evil");
  }
});

it("reads one request where a smuggler means two", async () => {
  const edge = await openEdge();
  const hidden = "GET /pub/smuggled HTTP/1.1\r\nHost: raw.test\r\nX: y";
  const post = (headers: readonly string[], body: string): string =>
    `${["POST /pub HTTP/1.1", "Host: raw.test", ...headers].join("\r\n")}\r\n\r\n${body}`;
  const zero = `0\r\n\r\n${hidden}`;
  const length = `Content-Length: ${zero.length}`;
  const encodings = [
    ...[
      "chunked",
      "Chunked",
      " chunked",
      "chunked ",
      "xchunked",
      "chunked, identity",
      "identity, chunked",
      "chunked, chunked",
    ],
    ...["\tchunked", "\x0bchunked", "chunked\x00", "identity", "gzip", '"chunked"', "chunked;q=1"],
  ];
  const forms = [
    ...encodings.map((value) => post([length, `Transfer-Encoding: ${value}`], zero)),
    ...encodings.map((value) =>
      post([`Transfer-Encoding: ${value}`, "Content-Length: 4"], `5c\r\n${hidden}\r\n0\r\n\r\n`),
    ),
    ...[
      "Transfer-Encoding : chunked",
      "Transfer_Encoding: chunked",
      " Transfer-Encoding: chunked",
      "X: y\nTransfer-Encoding: chunked",
      "X: y\rTransfer-Encoding: chunked",
      "Transfer-Encoding:\r\n chunked",
    ].map((line) => post([length, line], zero)),
    ...["0, 9", "+0", "-1", "0x0", "0 0", "1e1", "", "99999999999999999999", "0\r\nContent-Length: 9"].map(
      (value) => post([`Content-Length: ${value}`], hidden),
    ),
    ...["0x0", "-0", "+0", "G", "0;\n", " 0", "fffffffffffffffff1", "0 \t;x"].map((size) =>
      post(["Transfer-Encoding: chunked"], `${size}\r\n\r\n${hidden}`),
    ),
    ...["1\na\r\n0\r\n\r\n", "1\r\naXX0\r\n\r\n", "1\r\na\n0\r\n\r\n"].map((body) =>
      post(["Transfer-Encoding: chunked"], body + hidden),
    ),
    `GET /pub\r\n\r\n${hidden}`,
    `GET /pub HTTP/0.9\r\nHost: raw.test\r\n\r\n${hidden}`,
    `GET /pub HTTP/1.1\r\nHost: raw.test\r\nContent-Length: 5\r\n\r\n${hidden}`,
    `GET http://evil.test/pub HTTP/1.1\r\nHost: raw.test\r\n\r\n${hidden}`,
    `GET /pub HTTP/1.1\r\nHost: raw.test\r\nHost: raw.test\r\nX: ${"y".repeat(20_000)}\r\n\r\n${hidden}`,
  ];
  // `hidden` has no end: an instance reads it only where its head is completed by another request.
  for (const form of forms) await sendRaw(edge.port, form, 80);
  for (let times = 0; times < 10; times++) await sendRaw(edge.port, get("/pub/next"), 2000);
  expect(edge.all().filter(({ url }) => url.includes("smuggled"))).toEqual([]);
  expect(edge.pub.seen.filter(({ url }) => url === "/pub/next")).toHaveLength(10);
});

it("serves others while one source holds as many half requests as it may", async () => {
  const edge = await openEdge({ maxConnections: 400 });
  const half = Array.from({ length: 600 }, (): Socket => {
    const socket = connect({ port: edge.port, host: "127.0.0.1", localAddress: "127.0.0.2" });
    socket.resume().on("error", () => undefined);
    socket.write("GET /pub HTTP/1.1\r\nHost: raw.test\r\n");
    return socket;
  });
  later(() => half.forEach((socket) => void socket.destroy()));
  const began = performance.now();
  const open = () => half.filter((socket) => !socket.closed && !socket.destroyed).length;
  while (open() > 100) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(open()).toBe(100);
  for (let times = 0; times < 20; times++) expect(await sendRaw(edge.port, get("/pub"))).toEqual([200]);
  expect(performance.now() - began).toBeLessThan(5000);
  // And each half request ends.
  while (open() > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  expect(performance.now() - began).toBeLessThan(13_000);
});

it("lets a trusted proxy hold more connections than a source may", async () => {
  const edge = await openEdge({ maxConnections: 80, trustedProxies: ["127.0.0.2/32"] });
  const sockets = Array.from({ length: 40 }, () =>
    connect({ port: edge.port, host: "127.0.0.1", localAddress: "127.0.0.2" }),
  );
  later(() => sockets.forEach((socket) => void socket.destroy()));
  const answers = sockets.map(
    (socket) =>
      new Promise((resolve) =>
        socket
          .on("data", resolve)
          .on("close", () => resolve(""))
          .write(get("/pub")),
      ),
  );
  expect((await Promise.all(answers)).every((answer) => String(answer).startsWith("HTTP/1.1 200"))).toBe(
    true,
  );
});
