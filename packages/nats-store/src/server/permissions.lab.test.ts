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
