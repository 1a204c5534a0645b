import { createSocket } from "node:dgram";
import { mkdir, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { run, waitFor } from "@ployz/exec";
import { expect, it } from "vitest";
import {
  type AccessRecord,
  type Collector,
  collectAccess,
  type Route,
  type RouteOptions,
  readAccess,
  type Server,
} from "../src/index.ts";
import { later, openLab, serverOf } from "./lab.ts";
import { fetchVia } from "./load.ts";

async function freeUdpPort(): Promise<number> {
  const probe = createSocket("udp4");
  await new Promise<void>((resolve) => probe.bind(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(resolve));
  return port;
}

/** HAProxy's threads send the lines of different connections in any order. */
const byPath = ({ path: a = "" }: AccessRecord, { path: b = "" }: AccessRecord): number =>
  a < b ? -1 : a > b ? 1 : 0;

const route = (host: string, servers: readonly Server[], options?: RouteOptions): Route => ({
  ...{ kind: "http", id: `prod/${host}`, host, path: "/" },
  backend: { id: `prod/${host.split(".")[0]}/http`, servers },
  ...(options && { options }),
});

async function open(all: boolean) {
  const port = await freeUdpPort();
  const lab = await openLab({ accessLog: { port, all } });
  const dir = join(lab.dir, "..", "access");
  const errors: unknown[] = [];
  const collect = async (): Promise<Collector> => {
    const collector = await collectAccess({
      ...{ gatewayDir: lab.dir, port, dir, keepBytes: 1_000_000 },
      onError: (error) => errors.push(error),
      upstreams: { instance: (address) => ({ id: `at-${address.split(":")[1]}`, machine: "m1" }) },
    });
    let open = true;
    const close = async (): Promise<void> => {
      if (open) await collector.close();
      open = false;
    };
    later(close);
    return { ...collector, close };
  };
  const read = async (query: Parameters<typeof readAccess>[1] = {}): Promise<AccessRecord[]> => {
    const found: AccessRecord[] = [];
    for await (const record of readAccess(dir, query, new AbortController().signal)) found.push(record);
    return found;
  };
  const logged = (count: number): Promise<AccessRecord[]> =>
    waitFor(
      `${count} lines in the access log`,
      async () => {
        const records = await read();
        return records.length >= count ? records.sort(byPath) : undefined;
      },
      { timeoutMs: 5000, intervalMs: 20 },
    );
  return { ...lab, port: lab.port, udp: port, dir, collect, read, logged, errors };
}

it("logs the requests of routes that ask for it, without queries, with instance, times and an id that the instance sees", async () => {
  const { gateway, port, collect, logged, read, upstream, udp } = await open(false);
  await collect();
  const [web, other] = [await upstream("web"), await upstream("other")];
  const routes = [route("web.test", [serverOf(web)], { log: true }), route("other.test", [serverOf(other)])];
  await gateway.apply({ version: "1", routes });
  const ask = (host: string, path: string, headers: Record<string, string> = {}) =>
    fetchVia(port, { host, path, headers });
  await ask("other.test", "/not-logged");
  await ask("web.test", `/a"b\\c/%22?token=secret`, {
    "x-forwarded-for": "203.0.113.9",
    "x-request-id": "mine-1234",
  });
  await ask("web.test", "/deep", { "x-request-id": 'no"id' });
  const [first, second, ...more] = await logged(2);
  expect(more).toEqual([]);
  expect(first).toMatchObject({
    ...{ namespace: "prod", service: "web", instance: `at-${web.port}`, instanceMachine: "m1" },
    ...{ client: "127.0.0.1", scheme: "http", host: "web.test", method: "GET", path: `/a"b\\c/%22` },
    ...{ protocol: "HTTP/1.1", status: 200, requestId: "mine-1234", ended: "--" },
  });
  expect(JSON.stringify(first)).not.toContain("secret");
  expect(first?.bytesOut).toBeGreaterThan(50);
  expect(first?.totalMs).toBeGreaterThanOrEqual(first?.responseMs ?? -1);
  expect(Math.abs(Date.parse(first?.time ?? "") - Date.now())).toBeLessThan(30_000);
  expect(second?.requestId).toMatch(/^[0-9a-f-]{36}$/);

  // Another program of the machine cannot write lines.
  const forger = createSocket("udp4");
  const forged = `${"0".repeat(32)} 1795996971415 127.0.0.1:1 http:prod:web:http {"path":"/forged","status":200}`;
  await new Promise<void>((resolve) =>
    forger.send(forged, udp, "127.0.0.1", () => forger.close(() => resolve())),
  );
  await ask("web.test", "/last");
  const all = await logged(3);
  expect(all.map(({ path }) => path)).toEqual([`/a"b\\c/%22`, "/deep", "/last"]);
  expect(await read({ namespace: "prod", service: "we" })).toEqual([]);
  expect(await read({ namespace: "prod", service: "web", tail: 1 })).toMatchObject([{ path: "/last" }]);
});

it("serves without a collector, and logs again afterwards; readers follow", async () => {
  const { gateway, port, collect, logged, dir, upstream } = await open(false);
  const collector = await collect();
  const web = await upstream("web");
  await gateway.apply({ version: "1", routes: [route("web.test", [serverOf(web)], { log: true })] });
  const ask = async (path: string) => (await fetchVia(port, { host: "web.test", path })).status;
  expect(await ask("/one")).toBe(200);
  await logged(1);
  await collector.close();
  expect(await ask("/nobody-listens")).toBe(200);
  const stop = new AbortController();
  later(() => stop.abort());
  const seen: (string | undefined)[] = [];
  const reading = (async () => {
    for await (const { path } of readAccess(dir, { follow: true }, stop.signal)) seen.push(path);
  })();
  await collect();
  expect(await ask("/two")).toBe(200);
  await waitFor("the reader to follow", async () => seen.includes("/two") || undefined, {
    ...{ timeoutMs: 5000, intervalMs: 20 },
  });
  // HAProxy sends a line after the answer: the second collector may still get it.
  expect(seen.filter((path) => path !== "/nobody-listens")).toEqual(["/one", "/two"]);
  stop.abort();
  await reading;
});

it("logs every request where all are logged, also those without a route, and each once", async () => {
  const { gateway, port, collect, logged, upstream } = await open(true);
  await collect();
  const web = await upstream("web");
  const routes = [
    route("web.test", [serverOf(web)]),
    route("strip.test", [serverOf(web)], { addPrefix: "/in" }),
    { kind: "redirect", id: "r", host: "old.test", path: "/", to: "https://web.test", status: 308 } as const,
  ];
  await gateway.apply({ version: "1", routes });
  const ask = (host: string, path: string) => fetchVia(port, { host, path });
  await ask("web.test", "/a");
  await ask("strip.test", "/b");
  await ask("old.test", "/c");
  await ask("nobody.test", "/d");
  await ask("web.test", "/e/../f");
  const found = await logged(5);
  expect(found.map(({ path, status, service }) => [path, status, service])).toEqual([
    ["/a", 200, "web"],
    ["/b", 200, "strip"],
    ["/c", 308, undefined],
    ["/d", 404, undefined],
    ["/e/../f", 400, undefined],
  ]);
  expect(found.every(({ client }) => client === "127.0.0.1")).toBe(true);
});

it("serves with a full disk, counts what it could not write, and writes whole lines again when there is room", async () => {
  const { gateway, port, dir, collect, read, logged, upstream, errors } = await open(false);
  await mkdir(dir, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", "size=64k", "none", dir]);
  later(() => run("umount", [dir]));
  const collector = await collect();
  const web = await upstream("web");
  await gateway.apply({ version: "1", routes: [route("web.test", [serverOf(web)], { log: true })] });
  const ask = async (path: string) => (await fetchVia(port, { host: "web.test", path })).status;
  expect(await ask("/first")).toBe(200);
  await logged(1);
  await writeFile(join(dir, "filler"), Buffer.alloc(64 * 1024)).catch(() => undefined);
  const long = `/full/${"x".repeat(900)}`;
  for (let index = 0; index < 20; index++) expect(await ask(long)).toBe(200);
  await waitFor("lines to be lost", async () => collector.lost() > 0 || undefined, {
    ...{ timeoutMs: 5000, intervalMs: 20 },
  });
  expect(errors[0]).toMatchObject({ code: "ENOSPC" });
  await rm(join(dir, "filler"));
  expect(await ask("/after")).toBe(200);
  await waitFor(
    "the log to continue",
    async () => (await read()).some(({ path }) => path === "/after") || undefined,
    {
      ...{ timeoutMs: 5000, intervalMs: 20 },
    },
  );
  expect((await read()).every(({ path }) => ["/first", long, "/after"].includes(path ?? ""))).toBe(true);
});
