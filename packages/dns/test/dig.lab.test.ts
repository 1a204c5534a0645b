import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { promisify } from "node:util";
import { decode, encode } from "dns-packet";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type DnsServer, openDns } from "../src/index.ts";

let server: DnsServer;
beforeAll(async () => {
  server = await openDns({
    listen: [
      { address: "127.0.0.1", port: 0 },
      { address: "::1", port: 0 },
    ],
    upstreams: [],
    overlay: "10.101.0.0/16",
    records: {
      services: [
        {
          namespace: "prod",
          service: "web",
          instances: Array.from({ length: 60 }, (_, index) => ({
            id: `prod/web/i${index}`,
            address: `10.101.1.${index + 2}`,
            ports: { http: 8080 },
          })),
        },
      ],
    },
  });
});
afterAll(() => server.close());

// A program of the operator's, used only here: the package itself starts none.
async function dig(...args: string[]): Promise<string> {
  const [v4] = server.addresses;
  const { stdout } = await promisify(execFile)("dig", [
    `@${v4?.address}`,
    "-p",
    String(v4?.port),
    "+time=2",
    "+tries=1",
    ...args,
  ]);
  return stdout;
}
const lines = (text: string): string[] => text.trim().split("\n").filter(Boolean);

it("gives dig all addresses, over TCP when they do not fit", async () => {
  expect(lines(await dig("+short", "web.prod.cluster.local"))).toHaveLength(60);
  expect(await dig("+noedns", "+ignore", "web.prod.cluster.local")).toMatch(/flags: qr aa tc rd/);
  expect(lines(await dig("+short", "+tcp", "web.prod.cluster.local"))).toHaveLength(60);
});

it("gives dig SRV, PTR, NXDOMAIN and NODATA as it expects them", async () => {
  expect(await dig("+short", "i0.web.prod.cluster.local", "SRV")).toBe("");
  expect(lines(await dig("+short", "_http._tcp.web.prod.cluster.local", "SRV"))).toContain(
    "0 1 8080 i3.web.prod.cluster.local.",
  );
  expect(await dig("+short", "-x", "10.101.1.2")).toBe("i0.web.prod.cluster.local.\n");
  expect(await dig("nope.prod.cluster.local")).toMatch(/status: NXDOMAIN[\s\S]*AUTHORITY: 1[\s\S]*SOA/);
  expect(await dig("web.prod.cluster.local", "AAAA")).toMatch(
    /status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1/,
  );
  expect(await dig("example.com")).toMatch(/status: REFUSED/);
  expect(await dig("+edns=1", "+noednsneg", "web.prod.cluster.local")).toMatch(/status: BADVERS/);
  expect(await dig("CH", "TXT", "version.bind")).toMatch(/status: REFUSED/);
  expect(await dig("+short", "WEB.prod.CLUSTER.local")).toContain("10.101.1.2");
  // No complaint about a malformed or mismatched message anywhere.
  expect(await dig("web.prod.cluster.local", "+tcp")).not.toMatch(/malformed|mismatch|extra bytes/i);
});

it("answers thousands of questions a second", async () => {
  const [v4] = server.addresses;
  const socket = createSocket("udp4");
  const question = { type: "A", class: "IN", name: "i1.web.prod.cluster.local" } as const;
  const total = 4000;
  let sent = 0;
  let got = 0;
  const started = performance.now();
  await new Promise<void>((resolve) => {
    const send = (): void => {
      if (sent < total)
        socket.send(
          encode({ type: "query", id: sent++ & 65_535, questions: [question] }),
          v4?.port,
          v4?.address,
        );
    };
    socket.on("message", (message) => {
      expect(decode(message).answers).toHaveLength(1);
      if (++got === total) resolve();
      else send();
    });
    for (let index = 0; index < 32; index++) send();
  });
  socket.close();
  // Client and server share this process; a machine's workloads ask a few hundred times a second.
  expect(total / ((performance.now() - started) / 1000)).toBeGreaterThan(1000);
});
