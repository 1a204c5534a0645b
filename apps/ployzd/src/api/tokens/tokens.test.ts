import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readAll } from "node:stream/consumers";
import { connect, type TLSSocket } from "node:tls";
import { type AuditEntry, openClient } from "@ployz/primitives/client";
import {
  type Commit,
  PERMISSIONS,
  type Permission,
  TOKEN_PROTOCOL,
  type TokenRecord,
} from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Daemon } from "../../daemon/daemon.ts";
import { takenPorts } from "../../host/listeners.ts";
import { ensureJoinKey } from "../../invites/join-key.ts";
import { type JoinServer, serveJoins } from "../../invites/server.ts";
import { primitivesOf } from "../../operations/primitives.ts";
import { apiRoutes } from "../routes.ts";
import { hashOf } from "./authenticate.ts";
import { grantOf, need } from "./grant.ts";
import { INPUTS, inputDemand } from "./inputs.ts";
import { RULES } from "./rules.ts";
import { openTokenApi, type TokenApi } from "./serve.ts";

const SECRET = "s".repeat(43);
const ID = "0123456789abcdef";
const HOUR = 3_600_000;

const record = (more: Partial<TokenRecord> = {}): TokenRecord => ({
  ...{ id: ID, name: "ci", secretHash: hashOf(SECRET), namespaces: ["pr-*"], branchFrom: [], promoteTo: [] },
  ...{ allow: PERMISSIONS, by: "me@here", createdAt: 0, expiresAt: Date.now() + HOUR, ...more },
});

const commit = (namespace: string): Commit => ({
  ...{ v: 1, namespace, operation: "01M849JKMJKJNHP441C7VF0Z2Q", primitive: "deploy" },
  ...{ at: "2026-01-01T00:00:00Z", by: "me@here", services: {}, jobs: {}, instances: [], routes: [] },
  volumes: [],
});

const manifest = (more: object = {}, service: object = {}) => ({
  manifest: { namespace: "pr-1", services: { web: { image: "web:1", ...service } }, ...more },
});

/** The code with which a token for pr-* is refused; undefined: it is not. */
function refusal(primitive: string, input: unknown, more: Partial<TokenRecord> = {}): string | undefined {
  try {
    need(grantOf(record(more)), inputDemand(primitive, input));
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

describe("what a token for pr-* with every permission may run", () => {
  it("is declared for every primitive and every route", () => {
    const none = undefined as never;
    const primitives = primitivesOf({ store: none, machines: none, operations: none, source: none } as never);
    expect(Object.keys(INPUTS).sort()).toEqual([...primitives.keys()].sort());
    const routes = apiRoutes({} as Daemon);
    for (const kind of ["json", "streams", "bytes"] as const)
      expect(Object.keys(RULES[kind]).sort()).toEqual(Object.keys(routes[kind]).sort());
  });

  it.each<[string, unknown]>([
    ["deploy", manifest()],
    ["deploy", { ...manifest({ namespace: "prod" }), namespace: "pr-1" }],
    [
      "deploy",
      manifest({ allow_routes_from: ["pr-2"] }, { allow_from: ["pr-2", "pr-2:web", "pr-*", "pr-1*"] }),
    ],
    ["branch", { source: "pr-1", target: "pr-2" }],
    ["promote", { source: "pr-1", target: "pr-2", volumes: { data: "replace" } }],
    ["namespace-rm", { namespace: "pr-1" }],
    [
      "volume-fork",
      { source: { namespace: "pr-1", volume: "a" }, target: { namespace: "pr-2", volume: "a" } },
    ],
  ])("%s %j", (primitive, input) => {
    expect(refusal(primitive, input)).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ["deploy", manifest({ namespace: "prod" })],
    ["deploy", { ...manifest(), namespace: "prod" }],
    ["deploy", manifest({}, { allow_from: ["prod"] })],
    ["deploy", manifest({}, { allow_from: ["prod:web"] })],
    ["deploy", manifest({}, { allow_from: ["*"] })],
    ["deploy", manifest({}, { allow_from: ["pr*"] })],
    ["deploy", manifest({}, { allow_from: ["*:web"] })],
    ["deploy", manifest({ allow_routes_from: ["prod"] })],
    ["branch", { source: "prod", target: "pr-2" }],
    ["branch", { source: "pr-1", target: "prod" }],
    ["promote", { source: "pr-1", target: "prod" }],
    ["promote", { source: "prod", target: "pr-1" }],
    [
      "volume-fork",
      { source: { namespace: "prod", volume: "a" }, target: { namespace: "pr-2", volume: "a" } },
    ],
    [
      "volume-fork",
      { source: { namespace: "pr-1", volume: "a" }, target: { namespace: "prod", volume: "a" } },
    ],
    [
      "backup-restore",
      { namespace: "prod", volume: "a", backup: "a".repeat(8), target: { namespace: "pr-1", volume: "a" } },
    ],
    [
      "backup-restore",
      { namespace: "pr-1", volume: "a", backup: "a".repeat(8), target: { namespace: "prod", volume: "a" } },
    ],
    ["migrate", { namespace: "pr-1", service: "web", to: "m2", fromStandby: true, acceptLoss: ["prod/a"] }],
    ["rollback", { namespace: "prod" }],
    ["namespace-rm", { namespace: "prod" }],
    ["machine-rm", { machine: "m1" }],
    ["evacuate", { namespace: "pr-1", machine: "m1" }],
    ["image-prune", {}],
    ["no-such-primitive", { namespace: "pr-1" }],
    ["constructor", { namespace: "pr-1" }],
    ["__proto__", { namespace: "pr-1" }],
  ])("is not %s %j", (primitive, input) => {
    expect(refusal(primitive, input)).toBe("not_permitted");
  });

  it.each(["pr-", "pr-*", "pr-1\u0000", "pr-1/../prod", "PR-1", "pr-\u0661", "рr-1", "pr-1\n", "*", ""])(
    "is not with the name %j",
    (namespace) => {
      expect(refusal("namespace-rm", { namespace })).toBe("invalid_input");
      expect(refusal("deploy", manifest({ namespace }))).toBe("invalid_input");
    },
  );

  it("is not with a field that the primitive does not know, or an input that is none", () => {
    expect(refusal("namespace-rm", { namespace: "pr-1", from: "prod" })).toBe("invalid_input");
    const volumes = { data: { from: "prod/data" } };
    expect(refusal("deploy", manifest({ volumes }))).toBe("invalid_input");
    for (const input of [null, [], "pr-1", { namespace: ["pr-1"] }])
      expect(refusal("namespace-rm", input)).toBe("invalid_input");
  });

  it("branches from and promotes to what it names for that alone, and its data stays", () => {
    const more = { branchFrom: ["prod"], promoteTo: ["prod"] };
    expect(refusal("branch", { source: "prod", target: "pr-1" }, more)).toBeUndefined();
    expect(refusal("promote", { source: "pr-1", target: "prod" }, more)).toBeUndefined();
    const replaced = { source: "pr-1", target: "prod", volumes: { data: "replace" } };
    expect(refusal("promote", replaced, more)).toBe("not_permitted");
    expect(refusal("branch", { source: "pr-1", target: "prod" }, more)).toBe("not_permitted");
    expect(refusal("deploy", manifest({ namespace: "prod" }), more)).toBe("not_permitted");
  });

  it("is nothing that its permissions leave out", () => {
    const allow: readonly Permission[] = ["read", "logs"];
    expect(refusal("deploy", manifest(), { allow })).toBe("not_permitted");
    expect(refusal("namespace-rm", { namespace: "pr-1" }, { allow: ["deploy", "toString"] })).toBe(
      "not_permitted",
    );
  });
});

describe("the join port", () => {
  let dir: string;
  let port: number;
  let server: JoinServer;
  let api: TokenApi;
  let tokens: TokenRecord[];
  let changed: () => void;
  let audited: AuditEntry[];
  let ran: unknown[];
  let refused: object[] | undefined;
  let sockets: TLSSocket[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "ployz-tokens-"));
    refused = undefined;
    const store = createMemoryStore({ clock: createVirtualClock() });
    for (const namespace of ["prod", "pr-1"]) await store.commits.append(commit(namespace), 0);
    [tokens, audited, ran, sockets, changed] = [[record()], [], [], [], () => {}];
    const member = {
      store,
      heads: () => ["prod", "pr-1"].map((name) => ({ revision: 1, commit: commit(name) })),
      membership: () => ({ machines: [{ id: "m1" }], machine: { id: "m1" } }),
      tokens: {
        records: () => tokens,
        onChange(listener: () => void) {
          changed = listener;
        },
      },
      audit: { write: (entry: AuditEntry) => void audited.push(entry) },
      run: async function* (request: unknown) {
        ran.push(request);
        if (refused !== undefined) {
          yield { type: "refused", refusals: refused };
          return;
        }
        yield { type: "accepted", operation: "01M849JKMJKJNHP441C7VF0Z2Q", primitive: "x", resumed: false };
        yield { type: "result", result: { state: "done" } };
      },
      runner: {
        list: async () => [
          { operation: "1", by: "me@here", scope: ["deploy.prod"] },
          { operation: "2", by: "me@here", scope: ["deploy.pr-1", "route.example.com"] },
          { operation: "3", by: "me@here", scope: ["machine.m1"] },
          { operation: "4", by: "token:ci", scope: ["deploy.prod"] },
        ],
        events: async function* (_: string, signal: AbortSignal) {
          yield { type: "waiting", what: "x" };
          await once(signal, "abort");
        },
        show: async () => ({ summary: { by: "token:ci", scope: ["deploy.pr-1"] } }),
      },
    };
    const daemon = { member: () => member, present: () => member } as unknown as Daemon;
    api = openTokenApi(() => {});
    api.begin(daemon);
    const taken = new Set(await takenPorts("tcp", "0.0.0.0"));
    for (port = 20_000 + (process.pid % 20_000); taken.has(port); ) port++;
    server = await serveJoins({
      ...{ port, identity: await ensureJoinKey(join(dir, "join.key")), log: () => {}, take: api.take },
      handle: async () => {},
    });
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    api.close();
    await server.close();
    await rm(dir, { recursive: true, force: true });
  });

  const dial = async (protocols = [TOKEN_PROTOCOL]): Promise<TLSSocket> => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: protocols });
    sockets.push(socket);
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    return socket;
  };
  const clientOf = async (secret = SECRET, id = ID) => {
    const socket = await dial();
    const agent = new Agent({ keepAlive: true });
    agent.createConnection = () => socket;
    return openClient({
      ...{ connect: () => socket, agent, name: "m1" },
      headers: { authorization: `Bearer ${id}.${secret}` },
    });
  };
  const raw = async (text: string): Promise<string> => {
    const socket = await dial();
    socket.end(text);
    return readAll(socket);
  };
  const code = (call: Promise<unknown>) =>
    call.then(
      () => "done",
      (error: { code: string }) => error.code,
    );

  it("shows namespaces of the token alone, and names it in the operations that it starts", async () => {
    const client = await clientOf();
    const { namespaces } = await client.request("GET /v1/names");
    expect(namespaces.map(({ namespace }) => namespace)).toEqual(["pr-1"]);
    const { operations } = await client.request("GET /v1/operations", { query: {} });
    expect(operations.map(({ operation }) => operation)).toEqual(["2", "4"]);
    const body = {
      primitive: "namespace-rm",
      input: { namespace: "pr-1" },
      mode: "apply",
      by: "root",
    } as const;
    for await (const _ of client.stream("POST /v1/operations", { body }));
    expect(ran).toMatchObject([{ primitive: "namespace-rm", by: "token:ci" }]);
    expect(audited).toMatchObject([
      { caller: "token:ci", command: "namespace-rm", object: "pr-1", outcome: "done" },
    ]);
  });

  it("refuses the rest, and records it", async () => {
    const client = await clientOf();
    const history = client.request("GET /v1/namespaces/:ns/history", { params: { ns: "prod" }, query: {} });
    expect(await code(history)).toBe("not_permitted");
    expect(await code(client.request("GET /v1/store"))).toBe("not_permitted");
    const body = {
      primitive: "namespace-rm",
      input: { namespace: "prod" },
      mode: "apply",
      by: "me",
    } as const;
    const events = client.stream("POST /v1/operations", { body })[Symbol.asyncIterator]();
    expect(await code(events.next())).toBe("not_permitted");
    expect(ran).toEqual([]);
    expect(audited.map(({ caller, command, object, outcome }) => [caller, command, object, outcome])).toEqual(
      [
        ["token:ci", "GET /v1/namespaces/:ns/history", "prod", "not_permitted"],
        ["token:ci", "GET /v1/store", undefined, "not_permitted"],
        ["token:ci", "namespace-rm", "prod", "not_permitted"],
      ],
    );
  });

  it("names no namespace of others, where one of its own is not there", async () => {
    const client = await clientOf();
    const call = client.request("GET /v1/namespaces/:ns/history", { params: { ns: "pr-9" }, query: {} });
    await expect(call).rejects.toMatchObject({
      ...{ code: "no_such_namespace", hint: "the token is for pr-*" },
    });
    refused = [{ code: "no_such_namespace", message: "there is no namespace pr-9", hint: "there are prod" }];
    const body = {
      primitive: "restart",
      input: { namespace: "pr-9", services: ["web"] },
      mode: "apply",
      by: "me",
    } as const;
    const events = [];
    for await (const event of client.stream("POST /v1/operations", { body })) events.push(event);
    expect(events).toMatchObject([{ type: "refused", refusals: [{ hint: "the token is for pr-*" }] }]);
  });

  it("refuses a token that is wrong, unknown or expired, and says no more", async () => {
    for (const [secret, id] of [
      [`${SECRET.slice(0, 42)}t`, ID],
      [SECRET, "f".repeat(16)],
    ] as const)
      expect(await code((await clientOf(secret, id)).request("GET /v1/version"))).toBe("token_invalid");
    tokens = [record({ expiresAt: Date.now() - 1 })];
    expect(await code((await clientOf()).request("GET /v1/version"))).toBe("token_invalid");
    expect(audited.map(({ outcome }) => outcome)).toEqual(Array(3).fill("token_invalid"));
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => raw(`GET /v1/version HTTP/1.1\r\nhost: x\r\n\r\n`)),
    );
    expect(answers.some((answer) => answer.includes("too_many_requests"))).toBe(true);
  });

  it("ends a stream at once when its token is revoked", async () => {
    const client = await clientOf();
    const events = client
      .stream("GET /v1/operations/:id/events", { params: { id: "01M849JKMJKJNHP441C7VF0Z2Q" } })
      [Symbol.asyncIterator]();
    expect((await events.next()).value).toEqual({ type: "waiting", what: "x" });
    tokens = [];
    changed();
    expect(await code(events.next())).toBe("daemon_unreachable");
    expect(await code((await clientOf()).request("GET /v1/version"))).toBe("token_invalid");
  });

  it("takes no smuggled request, no second Authorization, and no token without its protocol", async () => {
    const auth = `authorization: Bearer ${ID}.${SECRET}\r\n`;
    const head = `host: x\r\n${auth}`;
    const smuggled = await raw(
      `POST /v1/operations HTTP/1.1\r\n${head}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/store HTTP/1.1\r\n${head}\r\n`,
    );
    expect(smuggled).toMatch(/^HTTP\/1.1 400 /);
    expect(smuggled.match(/HTTP\/1\.1/g)).toHaveLength(1);
    const twice = await raw(`GET /v1/version HTTP/1.1\r\n${head}${auth}connection: close\r\n\r\n`);
    expect(twice).toContain("token_invalid");
    const folded = await raw(
      `GET /v1/version HTTP/1.1\r\nhost: x\r\nx: y\r\n ${auth}connection: close\r\n\r\n`,
    );
    expect(folded).not.toContain('"kind":"version"');
    for (const path of ["//v1/store", "/v1/%73tore", "/v1/store/", "/V1/store", "http://ployzd/v1/store"])
      expect(await raw(`GET ${path} HTTP/1.1\r\n${head}connection: close\r\n\r\n`), path).not.toContain(
        " 200 ",
      );
    const plain = await dial(["http/1.1"]);
    plain.end(`GET /v1/version HTTP/1.1\r\n${head}connection: close\r\n\r\n`);
    expect(await readAll(plain)).toMatch(/^HTTP\/1.1 404 /);
    expect(ran).toEqual([]);
  });

  it("gives a connection to one token", async () => {
    tokens.push(record({ id: "f".repeat(16), name: "other" }));
    const socket = await dial();
    const ask = (id: string) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        httpRequest(
          {
            ...{ path: "/v1/version", createConnection: () => socket as Socket },
            headers: { authorization: `Bearer ${id}.${SECRET}`, connection: "keep-alive" },
          },
          resolve,
        )
          .on("error", reject)
          .end();
      });
    const first = await ask(ID);
    expect(first.statusCode).not.toBe(401);
    await readAll(first);
    expect((await ask("f".repeat(16))).statusCode).toBe(401);
  });
});
