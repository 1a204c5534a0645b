import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Joiner, OperationEvent, OperationRequest } from "@ployz/primitives/protocol";
import { createMemoryStore, createVirtualClock } from "@ployz/primitives/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { takenPorts } from "../host/listeners.ts";
import { answerJoin } from "../invites/answer.ts";
import { newInvite, putInvite } from "../invites/invites.ts";
import { ensureJoinKey, type JoinKey } from "../invites/join-key.ts";
import { openJoinPort } from "../invites/port.ts";
import { openRate } from "../invites/rate.ts";
import { redeem } from "../invites/redeem.ts";
import { type JoinLine, type JoinServer, serveJoins } from "../invites/server.ts";
import { decodeToken, encodeToken, type JoinToken } from "../invites/token.ts";

const HOST = "127.0.0.1";
const CLUSTER = { id: "prod-1", name: "prod", clusterCidr: "10.101.0.0/16" };
const SELF = { publicKey: "key-of-the-new-one", endpoints: ["192.0.2.9:51820"] };
let dir: string;
let identity: JoinKey;
let server: JoinServer;
let port: number;
let token: JoinToken;
/** What reached the operation. */
let asked: OperationRequest[];
/** What the operation does. */
let operate: (joiner: Joiner) => AsyncIterable<OperationEvent>;

async function freePort(): Promise<number> {
  const taken = new Set(await takenPorts("tcp", "0.0.0.0"));
  for (let n = 20_000 + (process.pid % 20_000); ; n++) if (!taken.has(n)) return n;
}

const result = (state: "done" | "failed", more: object = {}): OperationEvent => ({
  type: "result",
  result: {
    ...{ kind: "operation", operation: "01OP", primitive: "machine-join", state, changed: true },
    ...{ output: { machine: "m2" }, owed: [], warnings: [], ms: 1 },
    ...more,
  },
});

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ployz-join-"));
  identity = await ensureJoinKey(join(dir, "join.key"));
  port = await freePort();
  const store = createMemoryStore({ clock: createVirtualClock() });
  const { invite, secret } = newInvite({ ttlMs: 60_000, by: "me" }, { inviter: "m1", now: Date.now() });
  await putInvite(store, invite);
  asked = [];
  operate = async function* (joiner) {
    await joiner.deliver(SELF.publicKey, { seat: 3 }, new AbortController().signal);
    yield result("done");
  };
  server = await serveJoins({
    ...{ port, identity, log: () => {} },
    handle: (call) =>
      answerJoin(call, {
        ...{ store, cluster: CLUSTER, wireguardPort: 51820, observed: () => "198.51.100.7" },
        runner: {
          run(request, joiner) {
            asked.push(request);
            if (joiner === undefined) throw new Error("no joiner");
            return operate(joiner);
          },
        },
      }),
  });
  token = {
    ...{ cluster: CLUSTER.id, clusterCidr: CLUSTER.clusterCidr, inviter: "m1", pin: identity.pin },
    ...{ endpoints: [`${HOST}:${port}`], invite: invite.id, secret, expiresAt: invite.expiresAt },
  };
});
afterEach(async () => {
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

async function ask(change: Partial<JoinToken> = {}, self: object = SELF): Promise<readonly JoinLine[]> {
  const lines: JoinLine[] = [];
  for await (const line of redeem({ ...token, ...change }, self, new AbortController().signal))
    lines.push(line);
  return lines;
}

describe("a join request", () => {
  it("gets its seat and then the outcome; where it came from is its first endpoint; its secret is in no operation", async () => {
    expect(await ask()).toEqual([{ document: { seat: 3 } }, { joined: { machine: "m2" } }]);
    expect(asked).toMatchObject([
      { input: { invite: token.invite, self: { endpoints: ["198.51.100.7:51820", "192.0.2.9:51820"] } } },
    ]);
    expect(JSON.stringify(asked)).not.toContain(token.secret);
  });

  it("that fails sends the reason and the order to leave", async () => {
    operate = async function* (joiner) {
      await joiner.deliver(SELF.publicKey, {}, new AbortController().signal);
      await joiner.retract(SELF.publicKey, "01OP", new AbortController().signal);
      yield result("failed", { error: { code: "no_handshake", message: "none" } });
    };
    const lines = await ask();
    expect(lines.slice(1)).toEqual([{ leave: "01OP" }, { error: { code: "no_handshake", message: "none" } }]);
  });

  it("with a wrong secret, an unknown invite or another cluster's starts nothing", async () => {
    const secret = `${token.secret.slice(0, -2)}${token.secret.endsWith("A") ? "EE" : "AA"}`;
    for (const [change, code] of [
      [{ secret }, "invite_unknown"],
      [{ invite: "00000000000000aa" }, "invite_unknown"],
      [{ cluster: "other-1" }, "invite_wrong_cluster"],
    ] as const)
      expect(await ask(change)).toMatchObject([{ error: { code } }]);
    expect(asked).toEqual([]);
  });

  it("is not even sent to a machine with another key", async () => {
    const other = await ensureJoinKey(join(dir, "other.key"));
    await expect(ask({ pin: other.pin })).rejects.toMatchObject({ code: "invite_wrong_key" });
    expect(asked).toEqual([]);
  });

  it("finds a connection free while another source holds as many as it can", async () => {
    const held = Array.from({ length: 300 }, () =>
      connectTcp({ host: HOST, port, localAddress: "127.0.0.2" }),
    );
    for (const socket of held) socket.on("error", () => {});
    try {
      await Promise.all(held.map((socket) => once(socket, "connect")));
      expect(await ask({})).toHaveLength(2);
    } finally {
      for (const socket of held) socket.destroy();
    }
  });

  it("finds the inviter behind endpoints that lead nowhere", async () => {
    const nowhere = `${HOST}:${await freePort()}`;
    expect(await ask({ endpoints: [nowhere, `${HOST}:${port}`] })).toHaveLength(2);
    await expect(ask({ endpoints: [nowhere] })).rejects.toMatchObject({ code: "machine_unreachable" });
    await expect(ask({ endpoints: [nowhere], expiresAt: 1 })).rejects.toMatchObject({
      code: "invite_expired",
    });
  });

  it("whose connection breaks says to try again, and nothing of an outcome", async () => {
    operate = async function* (joiner) {
      await joiner.deliver(SELF.publicKey, {}, new AbortController().signal);
      await server.close();
      yield result("done");
    };
    await expect(ask()).rejects.toMatchObject({ code: "machine_unreachable" });
  });

  it("that is too large, or one of too many, is refused", async () => {
    expect(await ask({}, { ...SELF, hostname: "x".repeat(40_000) })).toMatchObject([
      { error: { code: "invalid_input" } },
    ]);
    const all = await Promise.all(Array.from({ length: 20 }, () => ask({ cluster: "other-1" })));
    const codes = all.flatMap((lines) => lines.map((line) => "error" in line && line.error.code));
    expect(codes).toContain("too_many_requests");
    expect(asked).toEqual([]);
  });

  it("without TLS gets nothing", async () => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connectTcp(port, HOST, () => socket.write("POST /v1/join HTTP/1.1\r\n\r\n"));
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(text));
    });
    expect(answer).not.toContain("HTTP");
  });
});

describe("the join key", () => {
  it("is the same after a restart, and another one for another machine", async () => {
    expect((await ensureJoinKey(join(dir, "join.key"))).pin).toBe(identity.pin);
    const two = await Promise.all([1, 2].map(() => ensureJoinKey(join(dir, "new.key"))));
    expect(two[0]?.pin).toBe(two[1]?.pin);
    expect(two[0]?.pin).not.toBe(identity.pin);
  });
});

describe("a token", () => {
  it("says all that it was made of", () => {
    expect(decodeToken(`${encodeToken(token)}\n`)).toEqual(token);
  });

  it.each(["", "hello", "ployz-join-1.", "ployz-join-2.W10", "ployz-join-1.W10"])("%j is none", (text) => {
    expect(() => decodeToken(text)).toThrow(expect.objectContaining({ code: "invalid_input" }));
  });

  it("that was cut or changed is none, and is not repeated in the message", () => {
    const text = encodeToken(token);
    for (const wrong of [text.slice(0, -20), encodeToken({ ...token, endpoints: ["a b:1"] })])
      expect(() => decodeToken(wrong)).toThrow(/^token: (?!.*W)/);
    for (const more of ["A", "_", "=", "!", "AA", "AAAA"])
      expect(() => decodeToken(text + more), more).toThrow(/^token: it is incomplete/);
    for (let at = 0; at < text.length; at++)
      expect(() => decodeToken(text.slice(0, at) + text.slice(at + 1)), `without ${at}`).toThrow(/^token: /);
  });
});

describe("the join port", () => {
  it("is open while an invite of this machine may be asked about", async () => {
    let [open, now] = [0, 0];
    const joins = openJoinPort({
      ...{ self: "m1", now: () => now, log: () => {} },
      open: async () => {
        open += 1;
        return {
          close: async () => {
            open -= 1;
          },
        };
      },
    });
    const { invite } = newInvite({ ttlMs: 1_000, by: "me" }, { inviter: "m1", now });
    await joins.expect([{ ...invite, inviter: "m2" }]);
    expect(open).toBe(0);
    await joins.expect([invite]);
    await joins.expect([invite]);
    expect(open).toBe(1);
    now = 3_600_000;
    await joins.expect([]);
    expect(open).toBe(0);
    await joins.expect([{ ...invite, expiresAt: now + 1 }]);
    expect(open).toBe(1);
    await joins.close();
    expect(open).toBe(0);
  });

  it("lets an address ask ten times, then once a second", () => {
    let now = 0;
    const allowed = openRate(() => now);
    expect(Array.from({ length: 12 }, () => allowed("a")).filter(Boolean)).toHaveLength(10);
    expect(allowed("b")).toBe(true);
    now = 1_000;
    expect([allowed("a"), allowed("a")]).toEqual([true, false]);
  });
});
