import { createHash, createPublicKey } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer as createHttp } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server } from "node:tls";
import { run } from "@ployz/exec";
import { encodeToken } from "@ployz/primitives/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FakeDaemon, fakeDaemon } from "./daemon.ts";
import { ctl } from "./run.ts";

const NAMES = { kind: "operations", operations: [] };
const SECRET = "s".repeat(43);
let dir: string;
let home: string;
let server: Server;
let pin: string;
/** What each request carried. */
let authorizations: (string | undefined)[];
let daemon: FakeDaemon;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-token-"));
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  const made = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-subj",
    "/CN=x",
    "-keyout",
    key,
  ];
  await run("openssl", ["req", "-x509", ...made, "-out", cert]);
  const [keyText, certText] = [await readFile(key, "utf8"), await readFile(cert, "utf8")];
  const spki = createPublicKey(certText).export({ type: "spki", format: "der" });
  pin = createHash("sha256").update(spki).digest("base64url");
  const http = createHttp((request, response) => {
    authorizations.push(request.headers.authorization);
    response.end(JSON.stringify(NAMES));
  });
  server = createServer({ key: keyText, cert: certText, ALPNProtocols: ["ployz-api/1"] }, (socket) => {
    http.emit("connection", socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  daemon = await fakeDaemon({
    "POST /v1/tokens": ({ body }) => ({
      ...{ kind: "token-created", token: "ployz-token-1.x", machines: ["m1"] },
      record: {
        ...{ id: "0123456789abcdef", state: "valid", branchFrom: [], promoteTo: [], ...JSON.parse(body) },
        ...{ createdAt: "2026-01-01T00:00:00Z", expiresAt: "2026-01-02T00:00:00Z", ttlMs: undefined },
      },
    }),
  });
});
afterAll(async () => {
  server.close();
  await daemon.close();
  await rm(dir, { recursive: true });
});
beforeEach(async () => {
  authorizations = [];
  home = await mkdtemp(join(dir, "home-"));
});

const token = (more: object = {}) =>
  encodeToken({
    ...{ cluster: "prod-1", name: "ci", id: "0123456789abcdef", secret: SECRET },
    expiresAt: Date.now() + 60_000,
    machines: [{ pin, endpoints: [`127.0.0.1:${(server.address() as AddressInfo).port}`] }],
    ...more,
  });
const env = (more: Readonly<Record<string, string>> = {}) => ({ HOME: home, XDG_CONFIG_HOME: home, ...more });
const ls = (text: string) => ctl(["ops", "ls"], { env: env({ PLOYZ_TOKEN: text }) });

describe("PLOYZ_TOKEN", () => {
  it("reaches the machine that has the pinned key, and skips one that does not answer", async () => {
    const { code, err } = await ls(token());
    expect([code, err]).toEqual([0, ""]);
    const machines = [
      { pin, endpoints: ["127.0.0.1:1"] },
      { pin, endpoints: [`127.0.0.1:${(server.address() as AddressInfo).port}`] },
    ];
    expect((await ls(token({ machines }))).code).toBe(0);
    expect(authorizations).toEqual(Array(2).fill(`Bearer 0123456789abcdef.${SECRET}`));
  });

  it("sends nothing to a machine with another key, and says nothing of a token that is wrong", async () => {
    const endpoints = [`127.0.0.1:${(server.address() as AddressInfo).port}`];
    const other = await ls(token({ machines: [{ pin: "A".repeat(43), endpoints }] }));
    expect([other.code, other.err]).toEqual([3, expect.stringContaining("is another than")]);
    const cut = await ls(token().slice(0, -20));
    expect([cut.code, cut.err.includes(token().slice(20, 40))]).toEqual([2, false]);
    expect((await ls(token({ expiresAt: 1 }))).err).toContain("token ci expired at");
    expect((await ls(token({ machines: [{ pin, endpoints: ["127.0.0.1:1"] }] }))).code).toBe(4);
    expect(authorizations).toEqual([]);
  });
});

describe("a context with a token", () => {
  it("keeps one from stdin in a file of its own, which goes with it", async () => {
    const added = await ctl(["context", "add", "ci", "token://-"], { env: env(), stdin: `${token()}\n` });
    expect([added.code, added.err]).toEqual([0, ""]);
    const kept = join(home, "ployz/tokens/ci");
    expect((await stat(kept)).mode & 0o777).toBe(0o600);
    expect(await readFile(join(home, "ployz/contexts.toml"), "utf8")).not.toContain("ployz-token-1");
    expect((await ctl(["--context", "ci", "ops", "ls"], { env: env() })).code).toBe(0);
    expect((await ctl(["context", "rm", "ci"], { env: env() })).code).toBe(0);
    await expect(stat(kept)).rejects.toThrow("ENOENT");
  });

  it("reads one where its file is; a token on the command line is refused, and not repeated", async () => {
    const path = join(home, "token");
    await writeFile(path, token());
    expect((await ctl(["context", "add", "ci", `token://${path}`], { env: env() })).code).toBe(0);
    expect((await ctl(["--context", "ci", "ops", "ls"], { env: env() })).code).toBe(0);
    const typed = await ctl(["context", "add", "x", `token://${token()}`], { env: env() });
    expect([typed.code, typed.err.includes("ployz-token-1")]).toEqual([2, false]);
    for (const hosts of [[`token://${path}`, "m1"], [`token://${path}.no`]])
      expect((await ctl(["context", "add", "x", ...hosts], { env: env() })).code).toBeGreaterThan(1);
    expect((await ctl(["context", "ls", "--json"], { env: env() })).out).not.toContain('"x"');
  });
});

describe("token create", () => {
  const create = (...args: readonly string[]) =>
    ctl(["token", "create", ...args], { env: env({ PLOYZ_SOCKET: daemon.socket }) });

  it("sends namespaces and permissions, and prints the token alone", async () => {
    const made = await create(
      "--namespace",
      "pr-*,qa",
      "--allow",
      "logs,deploy",
      "--allow",
      "logs",
      "--ttl",
      "90d",
    );
    expect([made.code, made.out]).toEqual([0, "ployz-token-1.x\n"]);
    expect(JSON.parse(daemon.received.at(-1)?.body ?? "")).toMatchObject({
      ...{ name: "ci", namespaces: ["pr-*", "qa"], allow: ["logs", "deploy"], ttlMs: 90 * 86_400_000 },
    });
  });

  it.each([
    [["--namespace", "*", "--allow", "read"], "--namespace"],
    [["--namespace", "pr-", "--allow", "read"], "--namespace"],
    [["--namespace", "pr-*-x", "--allow", "read"], "--namespace"],
    [["--namespace", "pr-*", "--allow", "*"], "--allow"],
    [["--namespace", "pr-*"], "--allow"],
    [["--allow", "read"], "--namespace"],
    [["--namespace", "pr-*", "--allow", "read", "--ttl", "400d"], "--ttl"],
    [["--namespace", "pr-*", "--allow", "read", "--ttl", "0d"], "--ttl"],
    [["--namespace", "pr-*", "--allow", "read", "--branch-from", "prod"], "--branch-from"],
    [["--namespace", "pr-*", "--allow", "read", "--name", "A b"], "--name"],
  ])("refuses %j", async (args, field) => {
    const asked = daemon.received.length;
    const { code, err } = await create(...args);
    expect([code, err]).toEqual([2, expect.stringContaining(field)]);
    expect(daemon.received).toHaveLength(asked);
  });
});
