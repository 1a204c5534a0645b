import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer as createTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { run, spawnStream, waitFor } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newAccountKey } from "../src/certificates/accounts.ts";
import { type Account, orderCertificate, type Solver } from "../src/certificates/acme.ts";
import { overDns } from "../src/certificates/dns.ts";
import { certificateId } from "../src/certificates/renewal-info.ts";

const LOOPBACK = "127.0.0.1";
const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function freePort(): Promise<number> {
  const probe = createTcp();
  await new Promise<void>((resolve) => probe.listen(0, LOOPBACK, resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function listen(server: Pick<Server, "listen" | "close" | "address">): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** What the gateway answers, by path. */
const served = new Map<string, string>();
const overHttp: Solver = {
  kind: "http-01",
  async present(answers) {
    for (const { token, text: answer } of answers) served.set(token, answer);
  },
  async clear(answers) {
    for (const { token } of answers) served.delete(token);
  },
};

let directory = "";
let root = "";
let management = "";
let rootFile = "";
let ownServer: () => Promise<{ readonly key: string; readonly cert: string }>;
/** pebble, which refuses a third of all nonces and remembers proved names, with its name server. */
beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), "ployz-acme-"));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  const [key, cert, config] = [join(dir, "key.pem"), join(dir, "cert.pem"), join(dir, "pebble.json")];
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
    ...["-subj", "/CN=pebble", "-addext", `subjectAltName=IP:${LOOPBACK}`, "-keyout", key, "-out", cert],
  ]);
  root = await readFile(cert, "utf8");
  rootFile = cert;
  ownServer = async () => ({ key: await readFile(key, "utf8"), cert: root });
  const gateway = createServer(({ url = "" }, response) => {
    const answer = served.get(url.slice(url.lastIndexOf("/") + 1));
    response.writeHead(answer === undefined ? 404 : 200).end(answer);
  });
  const httpPort = await listen(gateway);
  const [acme, admin, dns, records] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  management = `http://${LOOPBACK}:${records}`;
  directory = `https://${LOOPBACK}:${acme}/dir`;
  const pebble = {
    ...{ listenAddress: `${LOOPBACK}:${acme}`, managementListenAddress: `${LOOPBACK}:${admin}` },
    ...{ certificate: cert, privateKey: key, httpPort, tlsPort: 1, ocspResponderURL: "" },
    ...{ externalAccountBindingRequired: false, domainBlocklist: ["refused.test"] },
  };
  await writeFile(config, JSON.stringify({ pebble }));
  const start = (program: string, args: readonly string[], env = {}) => {
    const child = spawnStream(program, args, { env });
    child.stdout.resume();
    child.done.catch(() => {}); // it ends with the test
    cleanups.push(async () => {
      child.kill("SIGTERM");
      await child.done.catch(() => {});
    });
  };
  start("pebble-challtestsrv", [
    ...["-defaultIPv4", LOOPBACK, "-defaultIPv6", "", "-dns01", `${LOOPBACK}:${dns}`],
    ...["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", `${LOOPBACK}:${records}`],
  ]);
  start("pebble", ["-config", config, "-dnsserver", `${LOOPBACK}:${dns}`], {
    ...{ PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "30", PEBBLE_AUTHZREUSE: "100" },
  });
  const curl = () => run("curl", ["-fsS", "--cacert", cert, directory]);
  await waitFor(
    "pebble",
    () =>
      curl().then(
        () => true,
        () => undefined,
      ),
    { timeoutMs: 30_000, intervalMs: 100 },
  );
});

let account: Account;
beforeAll(async () => {
  account = { directory, key: newAccountKey(), email: "ops@example.test" };
});
const order = (names: readonly string[], solver: Solver = overHttp, roots: readonly string[] = [root]) =>
  orderCertificate(account, names, { solver, roots, signal: new AbortController().signal, progress() {} });
const namesOf = (chain: string) => new X509Certificate(chain).subjectAltName;

it("gets a chain for several names, again when they are proved already, and leaves no answer behind", async () => {
  const { chain, key } = await order(["www.a.test", "a.test"]);
  expect(namesOf(chain)).toBe("DNS:www.a.test, DNS:a.test");
  expect(chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(key).toContain("PRIVATE KEY");
  expect(served.size).toBe(0);
  const again = await order(["www.a.test"]);
  expect(namesOf(again.chain)).toBe("DNS:www.a.test");
});

it("notes where the authority tells about renewals, and replaces a certificate that the authority does not know", async () => {
  const told = "https://renewals.test/info";
  const whole = JSON.parse((await run("curl", ["-fsS", "--cacert", rootFile, directory])).stdout) as object;
  const front = createHttps(await ownServer(), (_, response) => {
    response.end(JSON.stringify({ ...whole, renewalInfo: told }));
  });
  const url = `https://${LOOPBACK}:${await listen(front)}/dir`;
  const asked = { solver: overHttp, roots: [root], signal: new AbortController().signal, progress() {} };
  const { chain, renewalInfo } = await orderCertificate({ ...account, directory: url }, ["f.test"], asked);
  expect(renewalInfo).toBe(`${told}/${certificateId(chain)}`);
  const again = await orderCertificate({ ...account, directory: url }, ["f.test"], {
    ...{ ...asked, replaces: `${told}/AAAA.AAAA` },
  });
  expect(namesOf(again.chain)).toBe("DNS:f.test");
  expect(await order(["f.test"])).not.toHaveProperty("renewalInfo");
});

it("gets a wildcard by DNS, through a bridge to the name server", async () => {
  const bridge = createServer((request, response) => {
    void text(request).then(async (body) => {
      const { fqdn: host, value } = JSON.parse(body) as { readonly fqdn: string; readonly value: string };
      const path = request.url === "/present" ? "set-txt" : "clear-txt";
      await fetch(`${management}/${path}`, { method: "POST", body: JSON.stringify({ host, value }) });
      response.end();
    });
  });
  const url = `http://${LOOPBACK}:${await listen(bridge)}`;
  // This machine's resolver does not know the name server of the test.
  const solver = overDns("http", url, { signal: new AbortController().signal, progress() {}, waitMs: 0 });
  const { chain } = await order(["*.w.test"], solver);
  expect(namesOf(chain)).toBe("DNS:*.w.test");
});

it("says the authority's own reason: a forbidden name, a wrong answer, a server that is not trusted, none", async () => {
  await expect(order(["www.refused.test"])).rejects.toMatchObject({
    code: "certificate_refused",
    message: expect.stringMatching(/refuses www\.refused\.test: .*forbidden by policy/),
  });
  const silent: Solver = { ...overHttp, present: async () => {} };
  await expect(order(["b.test"], silent)).rejects.toMatchObject({
    code: "certificate_refused",
    message: expect.stringMatching(/b\.test.*404/),
  });
  await expect(order(["c.test"], overHttp, [])).rejects.toMatchObject({ code: "authority_unreachable" });
  const nowhere = { ...account, directory: `https://${LOOPBACK}:${await freePort()}/dir` };
  const asked = { solver: overHttp, roots: [root], signal: new AbortController().signal, progress() {} };
  await expect(orderCertificate(nowhere, ["d.test"], asked)).rejects.toMatchObject({
    code: "authority_unreachable",
    message: expect.stringContaining("ECONNREFUSED"),
  });
}, 60_000);

it("ends when it is aborted", async () => {
  const stop = new AbortController();
  const solver: Solver = { ...overHttp, present: () => new Promise(() => stop.abort(new Error("enough"))) };
  const asked = { solver, roots: [root], signal: stop.signal, progress() {} };
  await expect(orderCertificate(account, ["e.test"], asked)).rejects.toThrow("enough");
});
