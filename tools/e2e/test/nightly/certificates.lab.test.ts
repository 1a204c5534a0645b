import type { CertificateList, OperationList, StoreMoved } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Authority, openAuthority } from "../../src/authority.ts";
import { type Cluster, node, openCluster, webBundle } from "../../src/cluster.ts";
import { within } from "../../src/survive.ts";

const HOST = "www.example.test";
const IMPORTED = "imported.test";
/** Of certificates, in seconds: each is renewed after about 40. */
const LIFETIME = 60;

const manifest = `namespace = "prod"
[services.web]
bundle = "./web"
command = ["${node}", "server.mjs"]
ports = { http = 8080 }
ready = { http = "/healthz" }
replicas = 2
routes = [{ host = "${HOST}", tls = true }]
[services.web.constraints]
machines = ["m2", "m3"]
`;

/** One cluster through it all: each test begins where the one before it ended. */
let cluster: Cluster;
let authority: Authority;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  authority = await openAuthority(cluster.lab, { lifetime: LIFETIME });
  await cluster.lab.sh(3, ["sh", "-c", "cat > /root/authority.pem"], { input: authority.root });
  const account = ["--directory", authority.directory, "--ca-root", "/root/authority.pem"];
  await cluster.ctl(3, ["cert", "account", "set", ...account, "--email", "ops@example.test"]);
  await authority.point(HOST, cluster.lab.addresses[1] ?? "");
  await cluster.ctl(3, ["deploy", "-f", await cluster.put(3, manifest, webBundle)]);
}, 900_000);
afterAll(async () => {
  await authority?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

const certificate = async (i: number, name = HOST) =>
  (await cluster.json<CertificateList>(i, ["cert", "ls"])).certificates.find((one) => one.name === name);
const renewals = async (i: number): Promise<number> =>
  (await cluster.json<OperationList>(i, ["ops", "ls", "--limit", "100"])).operations.filter(
    ({ primitive, state }) => primitive === "cert-issue" && state === "done",
  ).length;
/** SHA-256 of the certificate that the gateway of machine `i` shows. */
async function served(i: number, host = HOST): Promise<string> {
  const { stdout } = await cluster.lab.sh(i, [
    "sh",
    "-c",
    'echo | openssl s_client -connect 127.0.0.1:443 -servername "$1" 2>/dev/null | openssl x509 -noout -fingerprint -sha256',
    ...["sh", host],
  ]);
  return stdout.trim().replace(/^.*=/, "").replaceAll(":", "").toLowerCase();
}

it("renews ten times by the schedule, without a failed request or handshake at 200 requests a second", async () => {
  const stop = new AbortController();
  const url = `https://${cluster.lab.addresses[1]}/`;
  const load = [false, true].map((keepAlive) =>
    cluster.lab.load(url, {
      ...{ rate: 100, seconds: 900, timeoutMs: 30_000 },
      ...{ host: HOST, keepAlive, until: stop.signal },
    }),
  );
  try {
    const before = await renewals(1);
    await within("ten renewals", 800_000, async () => (await renewals(1)) >= before + 10 || undefined);
  } finally {
    stop.abort();
  }
  const reports = await Promise.all(load);
  for (const { sent, ok, statuses, longestGapMs, p99Ms, maxMs } of reports)
    console.log(JSON.stringify({ sent, ok, statuses, longestGapMs, p99Ms, maxMs }));
  for (const { sent, ok, failures } of reports) {
    expect({ failures, answered: sent - ok }).toEqual({ failures: [], answered: 0 });
    expect(sent).toBeGreaterThan(20_000);
  }
  for (const i of [1, 2, 3])
    await within(`m${i} serves the last one`, 30_000, async () => {
      return (await served(i)) === (await certificate(i))?.fingerprint || undefined;
    });
}, 1_200_000);

it("a store that is rebuilt after the loss of its machines has the keys again, and renews", async () => {
  const made = await cluster.lab.sh(3, [
    "sh",
    "-c",
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=${IMPORTED} \\
       -addext subjectAltName=DNS:${IMPORTED} -keyout /root/key.pem -out /root/cert.pem 2>/dev/null && echo made`,
  ]);
  expect(made.stdout).toContain("made");
  const files = ["--cert", "/root/cert.pem", "--key", "/root/key.pem"];
  await cluster.ctl(3, ["cert", "import", IMPORTED, ...files]);
  const { fingerprint } = (await certificate(3, IMPORTED)) ?? {};
  await within("m2 serves the import", 30_000, async () => {
    return (await served(2, IMPORTED)) === fingerprint || undefined;
  });

  await cluster.lab.cut(1);
  const recovered = await cluster.json<StoreMoved>(2, ["store", "recover", "--yes"]);
  expect(recovered).toMatchObject({
    changed: true,
    recovery: { certificates: { restored: [IMPORTED, HOST], lost: [] } },
  });
  const { certificates } = await cluster.json<CertificateList>(3, ["cert", "ls"]);
  expect(certificates.map(({ state }) => state)).not.toContain("lost");
  expect(await served(2, IMPORTED)).toBe(fingerprint);

  // The account's key was lost: another account orders.
  const before = (await certificate(3))?.fingerprint;
  await within("the next renewal", 180_000, async () => {
    return (await certificate(3))?.fingerprint !== before || undefined;
  });
  await cluster.ctl(2, ["machine", "rm", "m1", "--force", "--yes"], { ok: [0, 5] });
  for (const i of [2, 3])
    await within(`m${i} serves a certificate that is valid`, 60_000, async () => {
      const present = await certificate(i);
      return (present?.state === "valid" && (await served(i)) === present.fingerprint) || undefined;
    });
}, 600_000);
