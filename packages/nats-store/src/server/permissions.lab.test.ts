import { connect, headers, type NatsConnection, nkeyAuthenticator } from "nats";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Rig, startRig } from "../../test/rig.ts";
import { openFacts } from "../client/facts.ts";
import { openStore } from "../client/store.ts";
import { createIdentity } from "../identity.ts";
import { streams } from "../names.ts";

let rig: Rig;
let m2: NatsConnection;
beforeAll(async () => {
  rig = await startRig();
  m2 = await raw(rig.identities.m2?.seed ?? "");
});
afterAll(async () => {
  await m2.close();
  await rig.cleanup();
});

const raw = (seed: string) =>
  connect({
    servers: `127.0.0.1:${rig.port}`,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
    inboxPrefix: "_INBOX_m2",
    reconnect: false,
  });

/** The server's answer to a subscription: a refusal, or nothing. */
async function subscribing(subject: string): Promise<string> {
  let refused = "";
  const subscription = m2.subscribe(subject, {
    callback(error) {
      refused = error?.name ?? "";
    },
  });
  await m2.flush();
  await m2.flush();
  subscription.unsubscribe();
  return refused;
}

describe("a machine without store authority", () => {
  it("answers only for itself", async () => {
    expect(await subscribing(`ployz.v1.${rig.cluster}.rpc.m2.>`)).toBe("");
    expect(await subscribing("_INBOX_m2.x")).toBe("");
    for (const subject of [
      `ployz.v1.${rig.cluster}.rpc.m3.>`,
      `ployz.v1.${rig.cluster}.rpc.>`,
      "_INBOX_m3.>",
      "_INBOX_m1.x",
      "_INBOX.>",
      ">",
      "$KV.ployz_secrets.>",
      `ployz.v1.${rig.cluster}.commit.prod`,
      "$SYS.>",
      "$JS.API.>",
    ]) {
      expect(await subscribing(subject), subject).toBe("PermissionViolationError");
    }
  });

  it("cannot delete, purge, reshape, back up or restore a stream, delete a message, or touch secrets", async () => {
    const names = Object.values(streams);
    const verbs = ["DELETE", "PURGE", "UPDATE", "CREATE", "SNAPSHOT", "RESTORE", "MSG.DELETE"];
    const subjects = [
      ...names.flatMap((name) => verbs.map((verb) => `$JS.API.STREAM.${verb}.${name}`)),
      "$JS.API.STREAM.CREATE.mine",
      `$JS.API.STREAM.MSG.GET.${streams.secrets}`,
      `$JS.API.DIRECT.GET.${streams.secrets}`,
      `$JS.API.CONSUMER.CREATE.${streams.secrets}.x`,
      `$JS.API.CONSUMER.DELETE.${streams.commits}.x`,
      "$KV.ployz_secrets.key",
      "_INBOX_m3.x",
    ];
    for (const subject of subjects) {
      await expect(m2.request(subject, "{}", { timeout: 2000 }), subject).rejects.toThrow(/permission/i);
    }
    const secrets = openFacts(openStore(rig.options("m2")).session, "secrets");
    await expect(secrets.get("key")).rejects.toMatchObject({ code: "store_forbidden" });
  });

  it("gets no rights from a request to itself that is to be answered elsewhere", async () => {
    const subject = `ployz.v1.${rig.cluster}.rpc.m2.x`;
    const statuses = m2.status()[Symbol.asyncIterator]();
    let asked = 0;
    const subscription = m2.subscribe(subject, {
      callback(_, message) {
        asked += 1;
        m2.publish(message.reply ?? "", "", { reply: "_INBOX_m2.x.r" });
      },
    });
    const elsewhere = [
      `$JS.API.STREAM.DELETE.${streams.journal}`,
      `$JS.API.STREAM.INFO.${streams.secrets}`,
      "$KV.ployz_secrets.other",
      "_INBOX_m3.another",
    ];
    for (const reply of elsewhere) m2.publish(subject, "", { reply });
    await m2.flush();
    await m2.flush();
    subscription.unsubscribe();
    expect(asked).toBe(elsewhere.length);
    for (const refused of elsewhere) {
      const { value } = await statuses.next();
      expect(value).toMatchObject({ type: "error", error: { operation: "publish", subject: refused } });
    }
    await statuses.return?.();
    expect(await rig.store("m1").journals.read("op")).toEqual([]);
  });

  it("deletes and purges nothing by having heartbeats and answers sent to the store's interface", async () => {
    const { session, facts } = rig.store("m1");
    await facts.put("kept.heartbeat", 1, 0);
    const { jsm } = await session.link();
    const consume = async (name: string, deliver: string) => {
      const config = {
        ...{ name, deliver_subject: deliver, deliver_policy: "new", ack_policy: "none", mem_storage: true },
        ...{ idle_heartbeat: 100_000_000, inactive_threshold: 5_000_000_000 },
      };
      const body = JSON.stringify({ stream_name: streams.facts, config });
      const reply = await m2.request(`$JS.API.CONSUMER.CREATE.${streams.facts}.${name}`, body);
      expect(reply.json()).toMatchObject({ name });
    };
    await rig.store("m1").journals.append("kept", 0, 1);
    const requests = [
      `$JS.API.STREAM.DELETE.${streams.operations}`,
      `$JS.API.STREAM.PURGE.${streams.journal}`,
      `$JS.API.STREAM.DELETE.${streams.secrets}`,
    ];
    for (const [at, request] of requests.entries()) {
      await consume(`to-${at}`, request);
      m2.publish(`$JS.API.STREAM.INFO.${streams.facts}`, "", { reply: request });
    }
    let beats = 0;
    const beaten = new Promise<void>((resolve) => {
      m2.subscribe("_INBOX_m2.beats", {
        callback() {
          beats += 1;
          if (beats === 5) resolve();
        },
      });
    });
    await consume("to-me", "_INBOX_m2.beats");
    await beaten;
    for (const name of Object.values(streams)) expect((await jsm.streams.info(name)).config.name).toBe(name);
    expect(await rig.store("m3").journals.read("kept")).toEqual([1]);
  });

  it("cannot wipe a bucket with a roll-up", async () => {
    const { facts } = rig.store("m2");
    await facts.put("kept.a", 1, 0);
    const hdrs = headers();
    hdrs.set("Nats-Rollup", "all");
    const reply = await m2.request("$KV.ployz_facts.kept.b", "2", { headers: hdrs, timeout: 2000 });
    expect(reply.json()).toMatchObject({ error: { description: expect.stringMatching(/rollup/i) } });
    expect((await facts.get("kept.a"))?.value).toBe(1);
  });
});

it("lets a store machine keep secrets", async () => {
  const { session } = rig.store("m1");
  const secrets = openFacts(session, "secrets");
  expect((await secrets.put("tls.example", "sealed", 0)).ok).toBe(true);
  expect((await secrets.get("tls.example"))?.value).toBe("sealed");
});

it("refuses who has no key, and a key that it does not know", async () => {
  await expect(connect({ servers: `127.0.0.1:${rig.port}`, reconnect: false })).rejects.toThrow(
    /authorization/i,
  );
  await expect(raw(createIdentity().seed)).rejects.toThrow(/authorization/i);
  const stranger = openStore({ ...rig.options("m2"), nkeySeed: createIdentity().seed, deadlineMs: 600 });
  await expect(stranger.facts.get("x")).rejects.toMatchObject({
    code: "store_unavailable",
    hint: expect.stringContaining("refuses this machine's key"),
  });
  await stranger.close();
});
