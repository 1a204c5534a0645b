import type { CertificateList, OperationList } from "@ployz/primitives/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Authority, openAuthority } from "../src/authority.ts";
import { type Cluster, node, openCluster, webBundle } from "../src/cluster.ts";

const HOST = "www.example.test";

const manifest = (host: string, namespace = "prod") => `namespace = "${namespace}"
[services.web]
bundle = "./web"
command = ["${node}", "server.mjs"]
ports = { http = 8080 }
ready = { http = "/healthz" }
routes = [{ host = "${host}", tls = true }]
`;

/** One cluster through it all: each test begins where the one before it ended. */
let cluster: Cluster;
let authority: Authority;
beforeAll(async () => {
  cluster = await openCluster({ machines: 3 });
  authority = await openAuthority(cluster.lab, { refused: ["refused.test"] });
  await cluster.lab.sh(3, ["sh", "-c", "cat > /root/authority.pem"], { input: authority.root });
  const account = ["--directory", authority.directory, "--ca-root", "/root/authority.pem"];
  await cluster.ctl(3, ["cert", "account", "set", ...account, "--email", "ops@example.test"]);
});
afterAll(async () => {
  await authority?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

/** What curl on machine 2 gets from the gateway of machine `i`. */
async function https(
  i: number,
  host: string,
): Promise<{ exitCode: number; status: string; version: string }> {
  const root = await authority.issuedBy();
  const { stdout, exitCode } = await cluster.lab.sh(
    2,
    [
      ...(["sh", "-c", 'cat > /root/issued.pem; exec "$@"', "sh"] as const),
      ...[
        "curl",
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{http_version}",
        "--cacert",
        "/root/issued.pem",
      ],
      ...["--resolve", `${host}:443:${cluster.lab.addresses[i - 1]}`, `https://${host}/`],
    ],
    { input: root, okExitCodes: [0, 35, 60] },
  );
  const [status = "", version = ""] = stdout.split(" ");
  return { exitCode, status, version };
}

const deploy = async (i: number, host: string, ok: readonly number[], namespace?: string) =>
  cluster.ctl(i, ["deploy", "-f", await cluster.put(i, manifest(host, namespace), webBundle), "--json"], {
    ok,
  });
const certificates = async (i: number) =>
  (await cluster.json<CertificateList>(i, ["cert", "ls"])).certificates;

it("one deploy serves a site over TLS on all machines, whichever of them the authority asks", async () => {
  await authority.point(HOST, cluster.lab.addresses[1] ?? "");
  await deploy(3, HOST, [0]);
  for (const i of [1, 2, 3]) {
    expect(await https(i, HOST)).toEqual({ exitCode: 0, status: "200", version: "2" });
    expect(await https(i, "other.test")).toMatchObject({ exitCode: 35 });
    const plain = await cluster.lab.sh(i, [
      "curl",
      "-s",
      "-D",
      "-",
      "-H",
      `Host: ${HOST}`,
      "http://127.0.0.1/x?y",
    ]);
    expect(plain.stdout).toMatch(/^HTTP\/1.1 308 [\s\S]*location: https:\/\/www.example.test\/x\?y\r/);
  }
  expect(await certificates(1)).toMatchObject([
    { name: HOST, state: "valid", method: "http-01", users: [`prod/web ${HOST}`] },
  ]);
  const again = await deploy(1, HOST, [0]);
  expect(JSON.parse(again.stdout)).toMatchObject({ changed: false });
});

it("a refused order ends a deploy with the authority's reason before its commit", async () => {
  const refused = await deploy(1, "www.refused.test", [1], "other");
  expect(JSON.parse(refused.stdout)).toMatchObject({
    error: { code: "certificate_refused", message: expect.stringMatching(/www\.refused\.test.*policy/i) },
  });
  expect((await cluster.json<{ instances: unknown[] }>(1, ["ps"])).instances).toHaveLength(1);
  expect(await certificates(2)).toHaveLength(1);
});

it("a renewal is an operation, and reaches every machine; one without its daemon serves the last certificate", async () => {
  const [before] = await certificates(1);
  await cluster.ctl(2, ["cert", "renew", HOST, "--force"]);
  const [after] = await certificates(3);
  expect(after?.fingerprint).not.toBe(before?.fingerprint);
  await cluster.ctl(3, ["daemon", "stop"]);
  for (const i of [1, 2, 3]) expect(await https(i, HOST)).toMatchObject({ exitCode: 0, status: "200" });
  await cluster.ctl(3, ["daemon", "start"]);
  const { operations } = await cluster.json<OperationList>(1, ["ops", "ls"]);
  expect(operations.filter(({ primitive }) => primitive === "cert-issue").map(({ state }) => state)).toEqual([
    ...["done", "failed", "done"],
  ]);
});

it("where the gateway does not listen on port 80, hosts are proved on port 443, without a failed request of theirs", async () => {
  for (const i of [1, 2, 3]) {
    await cluster.lab.sh(i, ["sh", "-c", "mkdir -p /etc/ployz; cat >>/etc/ployz/config.toml"], {
      input: 'gateway_listen = "0.0.0.0:8080"\n',
    });
    await cluster.ctl(i, ["daemon", "install"]);
  }
  const closed = await cluster.lab.sh(1, ["curl", "-s", "http://127.0.0.1/"], { okExitCodes: [7] });
  expect(closed.exitCode).toBe(7);
  const fresh = "alpn.test";
  await authority.point(fresh, cluster.lab.addresses[1] ?? "");
  await deploy(1, fresh, [0], "other");
  expect((await certificates(3)).find(({ name }) => name === fresh)).toMatchObject({
    ...{ state: "valid", method: "tls-alpn-01" },
  });
  const [before] = (await certificates(1)).filter(({ name }) => name === fresh);
  let [ending, asked] = [false, 0];
  const failed: unknown[] = [];
  const asking = (async () => {
    while (!ending) {
      const seen = await https(2, fresh);
      asked += 1;
      if (seen.exitCode !== 0 || seen.status !== "200") failed.push(seen);
    }
  })();
  await cluster.ctl(3, ["cert", "renew", fresh, "--force"]);
  ending = true;
  await asking;
  expect({ failed, asked: asked > 3 }).toEqual({ failed: [], asked: true });
  const [after] = (await certificates(2)).filter(({ name }) => name === fresh);
  expect(after).toMatchObject({ method: "tls-alpn-01" });
  expect(after?.fingerprint).not.toBe(before?.fingerprint);
  for (const i of [1, 2, 3]) expect(await https(i, fresh)).toMatchObject({ exitCode: 0, status: "200" });

  // Forced where both ports would do, or do not: HTTP-01 fails here, and says why.
  const refused = await cluster.ctl(1, ["cert", "issue", "other.test", "--challenge", "http-01"], {
    ok: [1],
  });
  expect(refused.stderr).toMatch(/other\.test/);
  const both = ["--challenge", "http-01", "--dns", "http", "--secret", "a/b"];
  await cluster.ctl(1, ["cert", "issue", "other.test", ...both], { ok: [2] });
});
