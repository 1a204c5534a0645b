import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { openServiceHost, type ServiceHost, stopS6 } from "@ployz/exec";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort, serverBinary } from "../../test/rig.ts";
import { initStore } from "../client/init.ts";
import { openStore } from "../client/store.ts";
import { createIdentity } from "../identity.ts";
import { openRpc } from "../rpc/call.ts";
import { serve } from "../rpc/serve.ts";
import type { StoreServerConfig } from "./config.ts";
import { ensureServer, reloadUsers, serviceName, stopServer } from "./ensure.ts";
import { readRecord } from "./record.ts";

let root: string;
let host: ServiceHost;
let binary: string;
let config: StoreServerConfig;
const m1 = createIdentity();
const m2 = createIdentity();
const founder = { machine: "m1", publicKey: m1.publicKey, role: "store" as const };

beforeAll(async () => {
  binary = await serverBinary();
  root = await mkdtemp(`${tmpdir()}/ployz-ensure-`);
  host = await openServiceHost({ kind: "s6", dir: `${root}/services`, logDir: `${root}/log` });
  config = {
    cluster: "ensure",
    machine: "m1",
    generation: 1,
    listen: { host: "127.0.0.1", port: await freePort() },
    monitorPort: await freePort(),
    dir: `${root}/store`,
    users: [founder],
  };
});
afterAll(async () => {
  await host.remove(serviceName);
  await stopS6(`${root}/services`);
  await rm(root, { recursive: true, force: true });
});

const open = (machine: string, nkeySeed: string) =>
  openStore({
    servers: [`127.0.0.1:${config.listen.port}`],
    nkeySeed,
    cluster: "ensure",
    machine,
    deadlineMs: 2000,
  });

it("starts, does nothing twice, loads users without dropping a connection, and restarts for the rest", async () => {
  expect((await ensureServer(config, { host, binary })).change).toBe("started");
  expect((await ensureServer(config, { host, binary })).change).toBe("unchanged");
  expect(await readRecord(config.dir)).toMatchObject({
    cluster: "ensure",
    generation: 1,
    server: "m1",
    generations: [{ generation: 1, state: "serving", listen: config.listen }],
  });
  const store = open("m1", m1.seed);
  await initStore(store.session);
  await initStore(store.session);
  expect((await store.facts.put("kept", 1, 0)).ok).toBe(true);
  const events: string[] = [];
  store.session.onEvent((event) => events.push(event));

  const joining = open("m2", m2.seed);
  await expect(joining.facts.get("kept")).rejects.toMatchObject({ code: "store_unavailable" });
  const users = [founder, { machine: "m2", publicKey: m2.publicKey, role: "machine" as const }];
  expect((await reloadUsers(config, users, { host, binary })).change).toBe("reloaded");
  expect((await joining.facts.get("kept"))?.value).toBe(1);
  // It may be answered by members whose connections are older.
  const served = serve(store.session, { calls: { greet: async () => "hello" } });
  await served.ready();
  expect(await openRpc(joining.session).call("m1", "greet", null, { timeoutMs: 2000 })).toBe("hello");
  served.close();
  expect(events).toEqual([]);

  // A member that is taken off loses its connection with its key.
  expect((await reloadUsers(config, [founder], { host, binary })).change).toBe("reloaded");
  await expect(joining.facts.get("kept")).rejects.toMatchObject({ code: "store_unavailable" });

  const moved = { ...config, monitorPort: await freePort() };
  expect((await ensureServer(moved, { host, binary })).change).toBe("replaced");
  expect((await store.facts.get("kept"))?.value).toBe(1);
  await stopServer(host, serviceName);
  expect((await host.status(serviceName)).state).toBe("stopped");
  await Promise.all([store.close(), joining.close()]);
});

it("refuses a server that is too old, naming what it found and needs, before anything is written", async () => {
  const old = `${root}/old-nats-server`;
  await writeFile(old, "#!/bin/sh\necho 'nats-server: v2.9.10'\n", { mode: 0o755 });
  const dir = `${root}/untouched`;
  await expect(ensureServer({ ...config, dir }, { host, binary: old })).rejects.toMatchObject({
    code: "nats_server_too_old",
    details: { found: "2.9.10", needed: "2.12.0" },
    hint: expect.stringContaining("install nats-server 2.12.0"),
  });
  await expect(ensureServer({ ...config, dir }, { host, binary: "/nonexistent" })).rejects.toMatchObject({
    code: "nats_server_missing",
  });
  await expect(readFile(`${dir}/store.json`)).rejects.toMatchObject({ code: "ENOENT" });
});

it("never starts an older generation, or another cluster's store, over an existing one", async () => {
  const dir = `${root}/newer`;
  await mkdir(dir);
  await writeFile(`${dir}/store.json`, '{"v":1,"cluster":"ensure","generation":2,"server":"m1"}');
  await expect(ensureServer({ ...config, dir }, { host, binary })).rejects.toMatchObject({
    code: "store_generation_older",
  });
  // Nor an empty one of a newer generation, here or where the disk was lost: that is founded.
  for (const place of [config.dir, `${root}/lost`]) {
    await expect(
      ensureServer({ ...config, dir: place, generation: 3 }, { host, binary }),
    ).rejects.toMatchObject({
      code: "store_generation_unknown",
    });
  }
  await expect(ensureServer({ ...config, cluster: "other" }, { host, binary })).rejects.toMatchObject({
    code: "store_cluster_mismatch",
  });
});

it("takes a directory of before there were re-foundings as generation 1, where it is", async () => {
  const dir = `${root}/before`;
  const identity = { ...config, dir, generation: 1, cluster: "before" };
  const place = { listen: { host: "127.0.0.1", port: await freePort() }, monitorPort: await freePort() };
  await ensureServer({ ...identity, ...place }, { host, binary });
  const servers = [`127.0.0.1:${place.listen.port}`];
  const store = openStore({ servers, nkeySeed: m1.seed, cluster: "before", machine: "m1" });
  await initStore(store.session);
  await store.facts.put("kept", 1, 0);
  await writeFile(`${dir}/store.json`, '{"v":1,"cluster":"before","generation":1,"server":"m1"}');
  expect((await ensureServer({ ...identity, ...place }, { host, binary })).change).toBe("unchanged");
  expect((await readRecord(dir))?.generations).toMatchObject([{ generation: 1, state: "serving" }]);
  expect((await store.facts.get("kept"))?.value).toBe(1);
  await store.close();
  await host.remove(serviceName);
});

it("says which port when another program holds it", async () => {
  const port = await freePort();
  const squatter = createServer().listen(port, "127.0.0.1");
  const taken = { ...config, listen: { host: "127.0.0.1", port } };
  await expect(ensureServer(taken, { host, binary, timeoutMs: 2500 })).rejects.toMatchObject({
    code: "store_server_not_ready",
    hint: expect.stringContaining(String(port)),
  });
  squatter.close();
});
