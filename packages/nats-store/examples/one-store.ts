import { openServiceHost } from "@ployz/exec";
import { createIdentity, ensureServer, initStore, openRpc, openStore, serve } from "@ployz/nats-store";

export async function oneStore(place: { dir: string; binary: string; port: number; monitorPort: number }) {
  const me = createIdentity(); // the seed stays on this machine; pass the public key as one of the server's users
  const host = await openServiceHost({
    kind: "s6",
    dir: `${place.dir}/services`,
    logDir: `${place.dir}/log`,
  });
  const server = {
    cluster: "example",
    machine: "m1",
    generation: 1,
    listen: { host: "127.0.0.1", port: place.port },
    monitorPort: place.monitorPort,
    dir: `${place.dir}/store`,
    users: [{ machine: "m1", publicKey: me.publicKey, role: "store" as const }],
  };
  await ensureServer(server, { host, binary: place.binary }); // outlives this process

  const servers = [`127.0.0.1:${place.port}`];
  const store = openStore({ servers, nkeySeed: me.seed, cluster: "example", machine: "m1" });
  await initStore(store.session);

  const lease = await store.leases.acquire("deploy.prod", { operation: "op1", machine: "m1" }, 10_000);
  const commit = await store.commits.append({ namespace: "prod", operation: "op1", services: {} }, 0);
  if (lease.acquired) await store.leases.release(lease.lease);

  const served = serve(store.session, { calls: { "machine.greet": async (name) => ({ hello: name }) } });
  await served.ready();
  const greeting = await openRpc(store.session).call("m1", "machine.greet", "world", { timeoutMs: 5000 });

  served.close();
  await store.close();
  return { commit, greeting, host };
}
