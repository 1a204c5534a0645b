import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { openServiceHost, stopS6 } from "@ployz/exec";
import { afterEach, beforeEach, expect, it } from "vitest";
import { moveStore } from "../examples/move-store.ts";
import { oneStore } from "../examples/one-store.ts";
import { createIdentity, ensureServer, initStore, openStore } from "../src/index.ts";
import { freePort, serverBinary } from "./rig.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(`${tmpdir()}/ployz-example-`);
});
afterEach(async () => {
  await stopS6(`${dir}/services`);
  await rm(dir, { recursive: true, force: true });
});

it("the README's example runs", async () => {
  const place = {
    dir,
    binary: await serverBinary(),
    port: await freePort(),
    monitorPort: await freePort(),
  };
  const { commit, greeting, host } = await oneStore(place);
  expect(commit).toEqual({ committed: true, revision: 1 });
  expect(greeting).toEqual({ hello: "world" });
  await host.remove("ployz-nats");
});

it("the README's example of moving the store runs", async () => {
  const binary = await serverBinary();
  const host = await openServiceHost({ kind: "s6", dir: `${dir}/services`, logDir: `${dir}/log` });
  const identities = { m1: createIdentity(), m2: createIdentity() };
  const from = { port: await freePort(), monitorPort: await freePort() };
  const users = [{ machine: "m1", publicKey: identities.m1.publicKey, role: "store" as const }];
  await ensureServer(
    {
      cluster: "example",
      machine: "m1",
      generation: 1,
      listen: { host: "127.0.0.1", port: from.port },
      monitorPort: from.monitorPort,
      dir: `${dir}/m1`,
      users,
    },
    { host, binary },
  );
  const store = openStore({
    servers: [`127.0.0.1:${from.port}`],
    nkeySeed: identities.m1.seed,
    cluster: "example",
    machine: "m1",
  });
  await initStore(store.session);
  await store.commits.append({ namespace: "prod", operation: "op1" }, 0);
  await store.close();

  const to = { port: await freePort(), routePort: await freePort(), monitorPort: await freePort() };
  const { moved, head } = await moveStore({ dir, binary, host, from, to, identities });
  expect(moved).toMatchObject({
    generation: 2,
    servers: [`127.0.0.1:${to.port}`],
    notOpen: [],
    notRetired: [],
  });
  expect(head).toMatchObject({ revision: 1, value: { operation: "op1" } });
});
