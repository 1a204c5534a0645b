import type { ServiceHost } from "@ployz/exec";
import {
  type Identity,
  openStore,
  openStoreMachine,
  readBackup,
  refound,
  restoreStore,
  type StoreMachine,
  type StoreSet,
  snapshotStore,
  writeBackup,
} from "@ployz/nats-store";

/** Moves the store from m1, which has generation 1, to m2. In a cluster the calls to m2 go through its daemon. */
export async function moveStore(place: {
  dir: string;
  binary: string;
  host: ServiceHost;
  from: { port: number; monitorPort: number };
  to: { port: number; routePort: number; monitorPort: number };
  identities: { m1: Identity; m2: Identity };
}) {
  const { dir, binary, host, from, identities } = place;
  const machines: Record<string, StoreMachine> = {};
  for (const machine of ["m1", "m2"]) {
    machines[machine] = openStoreMachine({
      cluster: "example",
      machine,
      dir: `${dir}/${machine}`,
      first: { listen: { host: "127.0.0.1", port: from.port }, monitorPort: from.monitorPort },
      users: async (stores) =>
        Object.entries(identities).map(([name, { publicKey }]) => ({
          machine: name,
          publicKey,
          role: stores.includes(name) ? "store" : "machine",
        })),
      host,
      binary,
    });
  }

  const server = { machine: "m2", host: "127.0.0.1", ...place.to };
  const set: StoreSet = { generation: 2, id: "move-1", servers: [server], routeSecret: "" };
  const open = (machine: "m1" | "m2", port: number) =>
    openStore({
      servers: [`127.0.0.1:${port}`],
      nkeySeed: identities[machine].seed,
      cluster: "example",
      machine,
    });
  const member = open("m2", from.port);

  const moved = await refound({
    from: { generation: 1, machines: ["m1"] },
    to: set,
    machine: (name) => machines[name] as StoreMachine,
    async carry() {
      const [old, target] = [open("m1", from.port), open("m2", server.port)];
      const file = `${dir}/generation-2.ployz`;
      const createdAt = new Date().toISOString();
      await writeBackup(file, snapshotStore(old.session, { createdAt, fenced: true }));
      await restoreStore(target.session, await readBackup(file), { replicas: 1, generation: 2 });
      await Promise.all([old.close(), target.close()]);
    },
  });
  member.session.switchServers(moved.generation, moved.servers); // on each member, when it learns of the new generation
  await machines.m1?.stop(1); // keeps its data in m1/generation-1

  const head = await member.commits.last("prod");
  await member.close();
  return { moved, head };
}
