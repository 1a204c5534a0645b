import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Events, type FakeDaemon, fakeDaemon, type Received } from "./daemon.ts";
import { ctl } from "./run.ts";

/** ssh2 makes an ed25519 key that it cannot read itself once in some 200 times. */
function privateKey(): string {
  const { private: key } = ssh2.utils.generateKeyPairSync("ed25519");
  return ssh2.utils.parseKey(key) instanceof Error ? privateKey() : key;
}

const ID = "01M849JKMJKJNHP441C7VF0Z2Q";
const ok = (machine: string) => ({
  type: "result",
  result: {
    ...{ kind: "operation", operation: ID, primitive: "machine-add", state: "done", changed: true },
    ...{ output: { machine }, owed: [], warnings: [], ms: 900 },
  },
});
const refused = (code: string, details?: object) => ({
  type: "refused",
  refusals: [{ code, message: code, hint: `about ${code}`, ...(details && { details }) }],
});

const INVITE = {
  ...{ id: "00000000000000aa", state: "open", inviter: "m1", by: "me" },
  ...{ createdAt: "2026-01-01T00:00:00.000Z", expiresAt: "2026-01-01T00:10:00.000Z" },
};

let daemon: FakeDaemon;
let answer: (target: string, request: { credentials: Record<string, unknown> }) => unknown;
let key: string;
beforeEach(async () => {
  daemon = await fakeDaemon({
    "POST /v1/operations": ({ body }: Received) => {
      const request = JSON.parse(body);
      return new Events([answer(request.input.target, request)]);
    },
    "POST /v1/mesh/leave": () => ({ kind: "left", left: true }),
    "POST /v1/mesh/join-by-token": () => ({ kind: "mesh", joined: true, peers: [] }),
    "POST /v1/invites": () => ({ kind: "invite-created", token: "ployz-join-1.x", invite: INVITE }),
    "GET /v1/invites": () => ({ kind: "invites", invites: [INVITE] }),
    "POST /v1/mesh/join": () => ({ kind: "mesh", joined: true, peers: [] }),
    "GET /v1/mesh": () => ({
      kind: "mesh",
      joined: true,
      cluster: { name: "c1" },
      store: "connected",
      peers: [{ id: "m2", rxBytes: 0, txBytes: 0 }],
    }),
  });
  key = join(daemon.dir, "key");
  await writeFile(key, privateKey(), { mode: 0o600 });
});
afterEach(() => daemon.close());
const run = (argv: readonly string[], options = {}) => ctl(["--socket", daemon.socket, ...argv], options);

describe("machine add", () => {
  it("adds several, each with its own line; the exit code is the worst", async () => {
    answer = (target) => (target === "root@m2" ? ok("m2") : refused("ssh_unreachable"));
    const { code, out } = await run(["machine", "add", "root@m2", "root@m3", "-i", key]);
    expect(code).toBe(4);
    expect(out).toContain("root@m2: added as m2 (900 ms)");
    expect(out).toContain("root@m3: refused\n  error: ssh_unreachable\n  hint: about ssh_unreachable");
  });

  it("sends the key for the operation, and prints it nowhere", async () => {
    answer = () => ok("m2");
    const { out, err } = await run([
      "machine",
      "add",
      "root@m2",
      "-i",
      key,
      "--json",
      "--events",
      "--region",
      "eu",
      "--runtime",
      "host",
    ]);
    const { credentials, input } = JSON.parse(daemon.received[0]?.body ?? "");
    expect(credentials.identity).toContain("PRIVATE KEY");
    expect(input).toEqual({ target: "root@m2", region: "eu", runtime: "process" });
    expect(`${out}${err}`).not.toContain("PRIVATE KEY");
  });

  it("stops at an unknown host key without a terminal: exit code 3", async () => {
    answer = () => refused("ssh_host_key_unknown", { fingerprint: "SHA256:abc" });
    expect((await run(["machine", "add", "root@m2", "-i", key])).code).toBe(3);
    expect(daemon.received.length).toBe(1);
  });

  it("asks about an unknown host key, and trusts exactly that one", async () => {
    answer = (_target, { credentials }) =>
      credentials.acceptHostKeys === undefined
        ? refused("ssh_host_key_unknown", { fingerprint: "SHA256:abc" })
        : ok("m2");
    const { code, err } = await run(["machine", "add", "root@m2", "-i", key], { typed: ["yes"] });
    expect(code).toBe(0);
    expect(err).toContain("SHA256:abc");
    expect(JSON.parse(daemon.received[1]?.body ?? "").credentials.acceptHostKeys).toEqual(["SHA256:abc"]);
  });

  it.each([
    ["no user", ["m2"], 2, "user@host"],
    ["metacharacters", ["root@m2;reboot"], 2, "user@host"],
    ["the same twice", ["root@m2", "root@m2"], 2, "twice"],
    ["one name for two", ["root@m2", "root@m3", "--name", "x"], 2, "--name"],
    ["a missing identity", ["root@m2", "-i", "/nonexistent/key"], 3, "/nonexistent/key: no such file"],
    ["no identity at all", ["root@m2"], 3, "--identity"],
  ])("refuses %s before anything is sent", async (_what, argv, expected, named) => {
    const { code, err } = await run(["machine", "add", ...argv]);
    expect(code).toBe(expected);
    expect(err).toContain(named);
    expect(daemon.received).toEqual([]);
  });

  it.each([
    [
      "a passphrase",
      () =>
        ssh2.utils.generateKeyPairSync("ed25519", { passphrase: "x", cipher: "aes256-ctr", rounds: 1 })
          .private,
      "ssh-add",
    ],
    ["only the public half", () => ssh2.utils.generateKeyPairSync("ed25519").public, "name the private key"],
    ["something else", () => "hello", "OpenSSH or PEM"],
  ])("says what to do about an identity with %s", async (_what, text, hint) => {
    await writeFile(key, text());
    const { code, err } = await run(["machine", "add", "root@m2", "-i", key]);
    expect(code).toBe(3);
    expect(err).toContain(hint);
  });
});

describe("machine update", () => {
  const from = { version: "1.0.0", build: "a".repeat(64) };
  const to = { version: "2.0.0", build: "b".repeat(64) };
  const plan = (machine: string, changes: boolean) => ({
    type: "plan",
    plan: {
      ...{
        kind: "plan",
        primitive: "machine-update",
        hash: "h",
        changes,
        warnings: [],
        prepare: [],
        settle: [],
      },
      summary: { machine, from, to, already: !changes },
    },
  });
  const failed = {
    type: "result",
    result: {
      ...{ kind: "operation", operation: ID, primitive: "machine-update", state: "failed", changed: false },
      ...{ output: null, owed: [], warnings: [], ms: 900 },
      error: { code: "update_reverted", message: "m2 runs 1.0.0", hint: "look" },
    },
  };
  let cluster: FakeDaemon;
  let asked: string[];
  let applied: (machine: string) => unknown;
  let looked: (machine: string) => unknown;
  beforeEach(async () => {
    asked = [];
    applied = ok;
    looked = (machine) => plan(machine, machine !== "m1");
    cluster = await fakeDaemon({
      "GET /v1/version": () => ({ kind: "version", ...to, node: "v24" }),
      "GET /v1/machines": () => ({
        kind: "machines",
        machines: ["m1", "m2", "m3"].map((id) => ({ record: { id, state: "active" } })),
      }),
      "POST /v1/operations": ({ body }: Received) => {
        const { input, mode } = JSON.parse(body);
        if (mode === "apply") asked.push(input.machine);
        return new Events([mode === "preview" ? looked(input.machine) : applied(input.machine)]);
      },
    });
  });
  afterEach(() => cluster.close());
  const update = (...argv: string[]) => ctl(["--socket", cluster.socket, "machine", "update", ...argv]);

  it("updates all that differ, in turn", async () => {
    const { code, out } = await update();
    expect(code).toBe(0);
    expect(asked).toEqual(["m2", "m3"]);
    expect(out).toContain("m1: already has 2.0.0 (bbbbbbbbbbbb)");
    expect(out).toContain("m3: updated from 1.0.0 (aaaaaaaaaaaa) to 2.0.0 (bbbbbbbbbbbb) (900 ms)");
  });

  it("stops at the first that fails: exit code 1, and the rest is not tried", async () => {
    applied = () => failed;
    const { code, out } = await update();
    expect(code).toBe(1);
    expect(asked).toEqual(["m2"]);
    expect(out).toContain(`m2: failed, operation ${ID}\n  error: m2 runs 1.0.0\n  hint: look`);
    expect(out).toContain("m3: skipped");
  });

  it("touches none when one is refused: exit code 3", async () => {
    looked = (machine) => (machine === "m3" ? refused("machine_busy") : plan(machine, true));
    const { code, out } = await update("m2", "m3");
    expect(code).toBe(3);
    expect(asked).toEqual([]);
    expect(out).toContain("m2: skipped\nm3: refused\n  error: machine_busy");
  });

  it("only looks with -n", async () => {
    const { code, out } = await update("m3", "-n", "--json");
    expect(code).toBe(0);
    expect(asked).toEqual([]);
    expect(JSON.parse(out)).toMatchObject({
      kind: "machine-update",
      machines: [{ machine: "m3", state: "planned", from }],
    });
  });
});

describe("mesh", () => {
  it("joins with the document from stdin, and prints one document", async () => {
    const document = { v: 1, cluster: {}, machine: {}, machines: [], storeServers: [] };
    const { code, out } = await run(["--json", "mesh", "join", "--document-stdin"], {
      stdin: JSON.stringify(document),
    });
    expect(code).toBe(0);
    expect(JSON.parse(out).kind).toBe("mesh");
    expect(JSON.parse(daemon.received[0]?.body ?? "")).toEqual(document);
    expect((await run(["mesh", "join", "--document-stdin"], { stdin: "hello" })).code).toBe(2);
  });

  it("joins with a token from stdin, and prints no part of it", async () => {
    const { code, out, err } = await run(["mesh", "join", "--token-stdin"], { stdin: "ployz-join-1.x\n" });
    expect(code).toBe(0);
    expect(daemon.received[0]).toMatchObject({
      route: "POST /v1/mesh/join-by-token",
      body: '{"token":"ployz-join-1.x"}',
    });
    expect(`${out}${err}`).not.toContain("ployz-join");
    for (const argv of [[], ["--token-stdin", "--document-stdin"], ["--token-stdin"]])
      expect((await run(["mesh", "join", ...argv])).code).toBe(2);
  });

  it("prints a new token and nothing else; lists invites without it", async () => {
    const made = await run(["machine", "invite", "create", "--ttl", "1h", "--name", "m4"]);
    expect(made.out).toBe("ployz-join-1.x\n");
    expect(JSON.parse(daemon.received[0]?.body ?? "")).toMatchObject({ ttlMs: 3_600_000, name: "m4" });
    const list = await run(["machine", "invite", "list"]);
    expect(list.out).toContain("00000000000000aa");
    expect((await run(["machine", "invite", "create", "--ttl", "soon"])).code).toBe(2);
  });

  it("destroys only after a yes", async () => {
    expect((await run(["mesh", "destroy"])).code).toBe(2);
    expect((await run(["mesh", "destroy"], { typed: ["no"] })).code).toBe(130);
    expect(daemon.received.map(({ route }) => route)).not.toContain("POST /v1/mesh/leave");
    expect((await run(["mesh", "destroy"], { typed: ["y"] })).code).toBe(0);
    expect((await run(["mesh", "destroy", "--yes"])).code).toBe(0);
    expect(daemon.received.at(-1)?.body).toBe('{"destroy":true}');
  });

  it("is not ready while a peer is silent: exit code 1", async () => {
    const { code, out } = await run(["mesh", "ready"]);
    expect(code).toBe(1);
    expect(out).toContain("no handshake with m2");
  });
});

describe("machines that go", () => {
  const summary = {
    ...{ kind: "machine-rm", machine: "m2", forced: true },
    namespaces: [
      {
        namespace: "prod",
        instances: [
          { service: "web", slot: 1, to: "m1" },
          { service: "db", slot: 1 },
        ],
        volumes: [{ name: "pgdata" }, { name: "files", to: "m3", bytes: 5 * 2 ** 20 }],
        suspended: ["db"],
      },
    ],
  };
  const plan = {
    ...{ kind: "plan", primitive: "machine-rm", hash: "", changes: true, summary, warnings: [] },
    ...{ prepare: [], settle: [] },
  };
  const sent = () => daemon.received.map(({ body }) => JSON.parse(body));

  it("rm -n shows each move and each loss", async () => {
    answer = () => ({ type: "plan", plan });
    const { code, out } = await run(["machine", "rm", "m2", "--force", "--lose", "prod/pgdata", "-n"]);
    expect(code).toBe(0);
    expect(sent()).toMatchObject([
      {
        primitive: "machine-rm",
        mode: "preview",
        input: { machine: "m2", force: true, lose: ["prod/pgdata"] },
      },
    ]);
    for (const line of [
      "- machine m2, by force",
      "volume prod/pgdata is lost",
      "volume prod/files: m2 -> m3, about 5.0M to copy",
      "prod/web.1: m2 -> m1",
      "prod/db stops until it is deployed again",
    ])
      expect(out).toContain(line);
  });

  it.each([["m2"], ["m2", "disk"], ["m2", "=ssd"], ["m2", "a=1", "a=2"]])(
    "label %j is usage",
    async (...argv) => {
      expect((await run(["machine", "label", ...argv])).code).toBe(2);
      expect(daemon.received).toEqual([]);
    },
  );

  it("rm asks, and without a terminal it needs --yes, which does not imply --lose", async () => {
    answer = () => ({ type: "plan", plan });
    const asked = await run(["machine", "rm", "m2"]);
    expect([asked.code, asked.err]).toEqual([2, expect.stringContaining("pass --yes")]);
    expect(sent()).toMatchObject([{ mode: "preview" }]);
    daemon.received.splice(0);
    answer = () => refused("data_loss_unconfirmed");
    const { code, err } = await run(["machine", "rm", "m2", "--force", "--yes"]);
    expect(code).toBe(3);
    expect(err).toContain("data_loss_unconfirmed");
    expect(sent()).toMatchObject([{ mode: "apply", input: { machine: "m2", force: true } }]);
    expect((await run(["machine", "rm", "m2", "--lose", "prod/x", "--yes"])).code).toBe(2);
  });

  it("rm that is refused asks nothing, at a terminal too", async () => {
    answer = () => refused("data_loss_unconfirmed");
    const { code, err } = await run(["machine", "rm", "m2", "--force"], { typed: ["y"] });
    expect([code, err]).toEqual([3, expect.not.stringContaining("[y/N]")]);
    expect(err).toContain("data_loss_unconfirmed");
    expect(sent()).toMatchObject([{ mode: "preview", input: { machine: "m2", force: true } }]);
  });

  it.each([
    [["drain", "m2", "--migrate"], "machine-drain", { machine: "m2", migrate: true }],
    [["drain", "m2"], "machine-drain", { machine: "m2" }],
    [["activate", "m2"], "machine-activate", { machine: "m2" }],
    [["standby", "m2"], "machine-standby", { machine: "m2" }],
    [
      ["label", "m2", "disk=ssd", "x=a=b"],
      "machine-label",
      { machine: "m2", labels: { disk: "ssd", x: "a=b" } },
    ],
    [
      ["label", "m2", "--rm", "disk", "--az", "b"],
      "machine-label",
      { machine: "m2", remove: ["disk"], az: "b" },
    ],
  ])("%j", async (argv, primitive, input) => {
    answer = () => ok("m2");
    expect((await run(["machine", ...argv])).code).toBe(0);
    expect(sent()).toMatchObject([{ primitive, mode: "apply", input }]);
  });
});
