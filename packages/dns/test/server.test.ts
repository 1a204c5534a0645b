import { createSocket } from "node:dgram";
import { mkdtemp, rename, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, encode, type Question, TRUNCATED_RESPONSE } from "dns-packet";
import { afterEach, expect, it } from "vitest";
import { type DnsOptions, type DnsServer, openDns, type ZoneRecords } from "../src/index.ts";
import { frame, frames } from "../src/tcp-frame.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const many = (count: number): ZoneRecords => ({
  services: [
    {
      namespace: "prod",
      service: "web",
      instances: Array.from({ length: count }, (_, index) => ({
        id: `i${index}`,
        address: `10.101.${index >> 8}.${index & 255}`,
        ports: { http: 80 },
      })),
    },
  ],
});

async function open(options: Partial<DnsOptions> = {}): Promise<DnsServer> {
  const server = await openDns({ listen: [{ address: "127.0.0.1", port: 0 }], upstreams: [], ...options });
  cleanups.push(() => server.close());
  return server;
}

const portOf = (server: DnsServer): number => server.addresses[0]?.port ?? 0;
const ask = (name: string, type: Question["type"] = "A", edns = 0, id = 99): Buffer =>
  encode({
    type: "query",
    id,
    flags: 0x100,
    questions: [{ type, class: "IN", name }],
    additionals:
      edns === 0 ? [] : ([{ type: "OPT", name: ".", udpPayloadSize: edns, flags: 0, options: [] }] as never),
  });

function udp(
  port: number,
  packet: Buffer,
  from = "127.0.0.1",
): Promise<ReturnType<typeof decode> & { rcode?: string }> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.on("message", (message) => {
      socket.close();
      resolve(decode(message));
    });
    socket.bind(0, from, () => socket.send(packet, port, "127.0.0.1"));
  });
}

function tcp(port: number, packets: readonly Buffer[], pieces = 1): Promise<ReturnType<typeof decode>[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const next = frames();
    const got: ReturnType<typeof decode>[] = [];
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      got.push(...next(chunk).map((message) => decode(message)));
      if (got.length === packets.length) {
        socket.destroy();
        resolve(got);
      }
    });
    const stream = Buffer.concat(packets.map(frame));
    const size = Math.ceil(stream.length / pieces);
    for (let at = 0; at < stream.length; at += size) socket.write(stream.subarray(at, at + size));
  });
}

/** An upstream that answers every A with one address, every AAAA with another, or not at all. */
async function upstream(behaviour: "answer" | "silent" | "servfail", address = "192.0.2.7") {
  const socket = createSocket("udp4");
  let asked = 0;
  socket.on("message", (message, client) => {
    asked++;
    if (behaviour === "silent") return;
    const { id, questions } = decode(message);
    const name = questions?.[0]?.name ?? "";
    const response =
      behaviour === "servfail"
        ? encode({ type: "response", id: id ?? 0, flags: 2, questions: questions ?? [] })
        : encode({
            type: "response",
            id: id ?? 0,
            questions: questions ?? [],
            answers: [
              questions?.[0]?.type === "AAAA"
                ? { type: "AAAA", name, data: "2001:db8::7" }
                : { type: "A", name, data: address },
            ],
          });
    socket.send(response, client.port, client.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  cleanups.push(() => socket.close());
  return { address: "127.0.0.1", port: socket.address().port, asked: () => asked };
}

it("answers over UDP and TCP, and follows an update at once", async () => {
  const server = await open({ records: many(2) });
  const [byUdp, [byTcp]] = await Promise.all([
    udp(portOf(server), ask("web.prod.cluster.local")),
    tcp(portOf(server), [ask("web.prod.cluster.local")]),
  ]);
  expect(byUdp).toMatchObject({ id: 99, rcode: "NOERROR", flag_aa: true, flag_rd: true, flag_ra: false });
  expect(byUdp.answers).toHaveLength(2);
  expect(byTcp?.answers).toHaveLength(2);
  server.update(many(5));
  expect((await udp(portOf(server), ask("web.prod.cluster.local"))).answers).toHaveLength(5);
  server.update({ services: [...many(5).services, { namespace: "!", service: "web", instances: [] }] });
  expect(server.stats().skipped).toHaveLength(1);
  expect((await udp(portOf(server), ask("web.prod.cluster.local"))).answers).toHaveLength(5);
});

it("spreads the first place evenly, also when every A comes with an AAAA", async () => {
  const server = await open({ records: many(2) });
  const first: unknown[] = [];
  for (let index = 0; index < 6; index++) {
    const response = await udp(portOf(server), ask("web.prod.cluster.local"));
    const [answer] = response.answers ?? [];
    first.push(answer?.type === "A" && answer.data);
    await udp(portOf(server), ask("web.prod.cluster.local", "AAAA"));
  }
  expect(first.filter((address) => address === "10.101.0.0")).toHaveLength(3);
});

it("sets TC when an answer does not fit, less with EDNS, never over TCP", async () => {
  const server = await open({ records: many(200) });
  const small = await udp(portOf(server), ask("web.prod.cluster.local"));
  const edns = await udp(portOf(server), ask("web.prod.cluster.local", "A", 4096));
  const [full] = await tcp(portOf(server), [ask("web.prod.cluster.local")]);
  expect((small.flags ?? 0) & TRUNCATED_RESPONSE).toBeTruthy();
  expect(small.answers?.length).toBeGreaterThan(5);
  expect(edns.answers?.length).toBeGreaterThan(small.answers?.length ?? 0);
  expect((full?.flags ?? 0) & TRUNCATED_RESPONSE).toBe(0);
  expect(full?.answers).toHaveLength(200);
});

it("takes many questions on one TCP connection, however they are cut, and closes an idle one", async () => {
  const server = await open({ records: many(1), tcpIdleMs: 150 });
  const questions = Array.from({ length: 50 }, (_, id) => ask("web.prod.cluster.local", "A", 0, id));
  const answers = await tcp(portOf(server), questions, 97);
  expect(answers.map((one) => one.id).sort((a, b) => (a ?? 0) - (b ?? 0))).toEqual(
    questions.map((_, id) => id),
  );
  const idle = connect(portOf(server), "127.0.0.1");
  await new Promise((resolve) => idle.on("close", resolve));
});

it("forwards other names, to the next upstream when one is silent or fails", async () => {
  const [silent, failing, good] = [
    await upstream("silent"),
    await upstream("servfail"),
    await upstream("answer"),
  ];
  const server = await open({ records: many(1), upstreams: [silent, failing, good], upstreamTimeoutMs: 100 });
  const response = await udp(portOf(server), ask("www.example.com"));
  expect(response).toMatchObject({ id: 99, rcode: "NOERROR" });
  expect(response.answers).toMatchObject([{ name: "www.example.com", data: "192.0.2.7" }]);
  expect(silent.asked()).toBe(1);
  const six = await udp(portOf(server), ask("www.example.com", "AAAA"));
  expect(six.answers).toMatchObject([{ type: "AAAA", data: "2001:db8::7" }]);
  // Names of the cluster never leave, existing or not.
  const before = good.asked();
  expect(await udp(portOf(server), ask("nope.prod.cluster.local"))).toMatchObject({ rcode: "NXDOMAIN" });
  expect(good.asked()).toBe(before);
});

it("says SERVFAIL when no upstream answers, and REFUSED when there is none", async () => {
  const silent = await upstream("silent");
  const server = await open({ upstreams: [silent], upstreamTimeoutMs: 50 });
  expect(await udp(portOf(server), ask("www.example.com"))).toMatchObject({ rcode: "SERVFAIL" });
  const alone = await open();
  expect(await udp(portOf(alone), ask("www.example.com"))).toMatchObject({ rcode: "REFUSED" });
});

it("does not ask itself", async () => {
  const probe = await open();
  const port = portOf(probe);
  await probe.close();
  cleanups.length = 0;
  const server = await open({
    listen: [{ address: "127.0.0.1", port }],
    upstreams: [{ address: "127.0.0.1", port }],
  });
  expect(await udp(portOf(server), ask("www.example.com"))).toMatchObject({ rcode: "REFUSED" });
});

it("names the address in use, and releases the others", async () => {
  const first = await open();
  const spare = await open();
  const sparePort = portOf(spare);
  await spare.close();
  const listen = [
    { address: "127.0.0.1", port: sparePort },
    { address: "127.0.0.1", port: portOf(first) },
  ];
  await expect(openDns({ listen, upstreams: [] })).rejects.toMatchObject({
    name: "PloyzError",
    code: "dns_port_taken",
    message: expect.stringContaining(`127.0.0.1 port ${portOf(first)}`),
  });
  await open({ listen: [{ address: "127.0.0.1", port: sparePort }] });
});

it("keeps answering after garbage on both transports", async () => {
  const server = await open({ records: many(1) });
  const socket = createSocket("udp4");
  for (let index = 0; index < 200; index++)
    socket.send(
      Buffer.from(Array.from({ length: index }, (_, at) => (at * 31 + index * 7) & 255)),
      portOf(server),
      "127.0.0.1",
    );
  const stream = connect(portOf(server), "127.0.0.1");
  stream.on("error", () => undefined);
  stream.end(Buffer.alloc(5000, 3));
  await new Promise((resolve) => stream.on("close", resolve).resume());
  socket.close();
  expect((await udp(portOf(server), ask("web.prod.cluster.local"))).answers).toHaveLength(1);
});

it("shows each client its own view, and all records to one without", async () => {
  const service = (namespace: string, address: string) => ({
    ...{ namespace, service: "db" },
    instances: [{ id: "1", address, ports: {} }],
  });
  const [prod, branch] = [service("prod", "10.101.1.2"), service("pr-42", "10.101.1.3")];
  const server = await open();
  const projected: string[] = [];
  server.update(
    { services: [prod, branch] },
    {
      of: (address) => (address === "127.0.0.2" ? "pr-42" : undefined),
      records: (view) => {
        projected.push(view);
        return { services: [branch] };
      },
    },
  );
  const answer = async (name: string, from: string) => {
    const { rcode, answers = [] } = await udp(portOf(server), ask(name), from);
    return answers.length > 0 ? answers.map((record) => (record as { data: unknown }).data) : rcode;
  };
  expect(await answer("db.prod.cluster.local", "127.0.0.2")).toBe("NXDOMAIN");
  expect(await answer("db.pr-42.cluster.local", "127.0.0.2")).toEqual(["10.101.1.3"]);
  expect(await answer("db.prod.cluster.local", "127.0.0.3")).toEqual(["10.101.1.2"]);
  expect(projected).toEqual(["pr-42"]);
  server.update({ services: [prod, branch] });
  expect(await answer("db.prod.cluster.local", "127.0.0.2")).toEqual(["10.101.1.2"]);
});

it("lets one client hold some connections, never all", async () => {
  const server = await open({ records: many(1) });
  const socketFrom = (localAddress: string) =>
    new Promise<boolean>((resolve) => {
      const socket = connect({ port: portOf(server), host: "127.0.0.1", localAddress });
      cleanups.push(() => socket.destroy());
      socket.on("error", () => resolve(false));
      socket.on("close", () => resolve(false));
      socket.on("data", () => resolve(true));
      socket.write(frame(ask("web.prod.cluster.local")));
    });
  const greedy = await Promise.all(Array.from({ length: 40 }, () => socketFrom("127.0.0.2")));
  expect(greedy.filter(Boolean)).toHaveLength(32);
  expect(await socketFrom("127.0.0.1")).toBe(true);
});

it("remembers a nameserver that does not answer: under 300 ms per lookup on average, and asks it again when it is back", async () => {
  const [dead, good] = [await upstream("silent"), await upstream("answer")];
  const server = await open({ upstreams: [dead, good] });
  const began = performance.now();
  for (let n = 0; n < 20; n++)
    expect((await udp(portOf(server), ask(`a${n}.example.com`))).answers).toHaveLength(1);
  expect((performance.now() - began) / 20).toBeLessThan(300);
  expect(server.stats().upstreams.map(({ silent }) => silent)).toEqual([true, false]);
});

it("follows the nameservers of the machine, also when there were none at the start", async () => {
  const file = join(await mkdtemp(join(tmpdir(), "dns-")), "resolv.conf");
  await writeFile(file, "");
  const server = await openDns({ listen: [{ address: "127.0.0.1", port: 0 }], resolvConf: file });
  cleanups.push(() => server.close());
  expect((await udp(portOf(server), ask("example.com"))).rcode).toBe("REFUSED");
  const addresses = () => server.stats().upstreams.map(({ address }) => address);
  await writeFile(file, "nameserver 192.0.2.1\n");
  await expect.poll(addresses, { timeout: 10_000 }).toEqual(["192.0.2.1"]);
  await writeFile(`${file}.new`, "nameserver 192.0.2.2\nnameserver 192.0.2.3\n");
  await rename(`${file}.new`, file);
  await expect.poll(addresses, { timeout: 10_000 }).toEqual(["192.0.2.2", "192.0.2.3"]);
});
