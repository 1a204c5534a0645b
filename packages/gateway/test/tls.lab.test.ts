import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { run } from "@ployz/exec";
import { expect, it } from "vitest";
import type { Certificate, RouteTable } from "../src/index.ts";
import { freePort, later, openLab, removeFolder, serverOf, tableOf } from "./lab.ts";
import { fetchVia, startLoad } from "./load.ts";

/** Self-signed, by a new key each time. */
async function certificate(id: string, names: readonly string[]): Promise<Certificate> {
  const dir = await mkdtemp(join(tmpdir(), "ployz-certificate-"));
  later(() => removeFolder(dir));
  const [key, cert] = [join(dir, "key"), join(dir, "cert")];
  const subject = [
    "-subj",
    `/CN=${names[0]}`,
    "-addext",
    `subjectAltName=${names.map((one) => `DNS:${one}`).join(",")}`,
  ];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  await run("openssl", ["req", "-x509", ...kind, ...subject, "-keyout", key, "-out", cert]);
  return { id, names, pem: `${await readFile(cert, "utf8")}${await readFile(key, "utf8")}` };
}

type Hello = {
  readonly names: string;
  readonly alpn: string | false | null;
  readonly protocol: string | null;
};

const hello = (
  port: number,
  servername: string,
  options: ConnectionOptions = {},
): Promise<Hello & { serial: string }> =>
  new Promise((resolve, reject) => {
    const socket: TLSSocket = connect(
      {
        host: "127.0.0.1",
        port,
        servername,
        rejectUnauthorized: false,
        ALPNProtocols: ["h2", "http/1.1"],
        ...options,
      },
      () => {
        const { subjectaltname = "", serialNumber: serial } = socket.getPeerCertificate();
        resolve({ names: subjectaltname, alpn: socket.alpnProtocol, protocol: socket.getProtocol(), serial });
        socket.destroy();
      },
    );
    socket.once("error", reject);
  });

async function openTls() {
  const https = await freePort();
  const lab = await openLab({ httpsListen: `127.0.0.1:${https}` });
  const server = serverOf(await lab.upstream("one"));
  return { ...lab, https, server };
}

it("serves each name's own certificate by SNI, and refuses the handshake of an unknown one", async () => {
  const { gateway, https, dir, server } = await openTls();
  await gateway.apply(tableOf("1", { "a.test": [server] }));
  await expect(hello(https, "a.test")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await gateway.certify([await certificate("a", ["a.test"]), await certificate("w", ["*.w.test", "w.test"])]);
  expect(await hello(https, "a.test")).toMatchObject({
    names: "DNS:a.test",
    alpn: "h2",
    protocol: "TLSv1.3",
  });
  expect(await hello(https, "x.w.test")).toMatchObject({ names: "DNS:*.w.test, DNS:w.test" });
  expect(await hello(https, "a.test", { maxVersion: "TLSv1.2" })).toMatchObject({ protocol: "TLSv1.2" });
  for (const name of ["b.test", "y.x.w.test", ""]) await expect(hello(https, name)).rejects.toThrow();
  await expect(hello(https, "a.test", { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" })).rejects.toThrow();
  for (const file of ["a.pem", "w.pem", "list"])
    expect((await stat(join(dir, "certs", file))).mode & 0o777).toBe(0o600);
});

it("renews, adds and removes certificates without a reload and without a failed request", async () => {
  const { gateway, https, port, server } = await openTls();
  await gateway.apply(tableOf("1", { "a.test": [server] }));
  await gateway.certify([await certificate("a", ["a.test"])]);
  const worker = (await gateway.status()).worker;
  const load = startLoad(port, "a.test", 100);
  const serials = new Set<string>();
  const other = await certificate("b", ["b.test"]);
  for (const more of [[], [other], [{ ...other, names: ["b.test", "c.test"] }], []]) {
    await gateway.certify([await certificate("a", ["a.test"]), ...more]);
    serials.add((await hello(https, "a.test")).serial);
    for (const name of ["b.test", "c.test"]) {
      const served = more[0]?.names.includes(name) === true;
      const answer = await hello(https, name).then(
        () => true,
        () => false,
      );
      expect([name, answer]).toEqual([name, served]);
    }
  }
  expect((await load.stop()).failures).toEqual([]);
  expect(serials.size).toBe(4);
  expect((await gateway.status()).worker).toBe(worker);
});

it("serves its certificates again after a restart of HAProxy, and repairs what a killed caller left", async () => {
  const { gateway, https, server, reopen } = await openTls();
  await gateway.apply(tableOf("1", { "a.test": [server] }));
  await gateway.certify([await certificate("a", ["a.test"])]);
  const { serial } = await hello(https, "a.test");
  await gateway.stop();
  const next = await reopen();
  expect(await next.adopt()).toMatchObject({ state: "started" });
  expect(await hello(https, "a.test")).toMatchObject({ serial });
  await next.certify([]);
  await expect(hello(https, "a.test")).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

it("a route over TLS only redirects plain requests, whatever reading of its path they take", async () => {
  const { gateway, https, port, server } = await openTls();
  const table: RouteTable = tableOf("1", { "a.test": [server], "w.test": [server], "plain.test": [server] });
  const routes = table.routes.map((route) =>
    route.kind === "http" && route.host !== "plain.test"
      ? { ...route, host: route.host.replace(/^w/, "*.w"), httpsOnly: true }
      : route,
  );
  const open = { ...table.routes[0], id: "open", path: "/open" } as (typeof routes)[number];
  await gateway.apply({ ...table, routes: [...routes, open] });
  await gateway.certify([await certificate("a", ["a.test"])]);
  const get = (host: string, path: string) => fetchVia(port, { host, path });
  expect(await get("a.test:80", "/x?q=1")).toMatchObject({
    status: 308,
    headers: { location: `https://a.test:${https}/x?q=1` },
  });
  expect(await get("b.w.test", "/")).toMatchObject({
    status: 308,
    headers: { location: `https://b.w.test:${https}/` },
  });
  for (const [host, path] of [
    ["plain.test", "/"],
    ["a.test", "/open/x"],
  ] as const)
    expect((await get(host, path)).status).toBe(200);
  await gateway.apply({ ...table, version: "2" });
  expect((await get("a.test", "/x")).status).toBe(200);
});

it("answers challenges on every host, and keeps them over a reload", async () => {
  const { gateway, port, server } = await openTls();
  await gateway.apply(tableOf("1", { "a.test": [server] }));
  await gateway.challenge(new Map([["token_-1", "token_-1.hash"]]));
  const get = (host: string, token: string) =>
    fetchVia(port, { host, path: `/.well-known/acme-challenge/${token}` });
  for (const host of ["a.test", "new.test"])
    expect(await get(host, "token_-1")).toMatchObject({ status: 200, body: "token_-1.hash" });
  await gateway.apply(tableOf("2", { "a.test": [server], "b.test": [server] }));
  expect((await get("b.test", "token_-1")).body).toBe("token_-1.hash");
  await gateway.challenge(new Map());
  expect((await get("new.test", "token_-1")).status).toBe(404);
  await expect(gateway.challenge(new Map([["a b", "c"]]))).rejects.toMatchObject({
    code: "gateway_config_invalid",
  });
});

it("answers an authority by ALPN for a host that it serves, without a failed handshake of others", async () => {
  const { gateway, https, server } = await openTls();
  await gateway.apply(tableOf("1", { "a.test": [server] }));
  const proofOf = async (host: string) => (await certificate("proof", [host])).pem;
  const ask = (host: string) => hello(https, host, { ALPNProtocols: ["acme-tls/1"] });
  // Before there is any certificate.
  const first = await proofOf("a.test");
  await gateway.challenge(new Map(), new Map([["a.test", first]]));
  expect(await ask("a.test")).toMatchObject({
    alpn: "acme-tls/1",
    serial: new X509Certificate(first).serialNumber,
  });
  await expect(hello(https, "a.test")).rejects.toThrow();
  await gateway.challenge(new Map());
  await expect(ask("a.test")).rejects.toMatchObject({ code: "ECONNREFUSED" });

  const served = await certificate("a", ["a.test"]);
  await gateway.certify([served]);
  const { serialNumber: own } = new X509Certificate(served.pem);
  const failures: unknown[] = [];
  let [ending, asked] = [false, 0];
  const asking = (async () => {
    while (!ending) {
      asked += 1;
      const seen = await hello(https, "a.test").catch((error: unknown) => ({ serial: String(error) }));
      if (seen.serial !== own) failures.push(seen);
    }
  })();
  for (let round = 0; round < 3; round++) {
    const [proof, other] = [await proofOf("a.test"), await proofOf("b.test")];
    await gateway.challenge(
      new Map(),
      new Map([
        ["a.test", proof],
        ["b.test", other],
      ]),
    );
    expect((await ask("a.test")).serial).toBe(new X509Certificate(proof).serialNumber);
    expect((await ask("b.test")).serial).toBe(new X509Certificate(other).serialNumber);
    await expect(ask("c.test")).rejects.toThrow();
    await gateway.certify([served, await certificate("d", ["d.test"])]);
    await gateway.challenge(new Map());
    expect((await ask("a.test").catch(() => ({ serial: own }))).serial).toBe(own);
  }
  ending = true;
  await asking;
  expect({ failures, asked: asked > 20 }).toEqual({ failures: [], asked: true });
  await expect(gateway.challenge(new Map(), new Map([["a b", "c"]]))).rejects.toMatchObject({
    code: "gateway_config_invalid",
  });
});
