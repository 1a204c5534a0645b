import { join } from "node:path";
import type { NatsStore } from "@ployz/nats-store";
import type { Store } from "@ployz/primitives/protocol";
import type { Logger } from "pino";
import { copyHandler, restoreKeys } from "../certificates/restore.ts";
import { operationIds } from "../clock.ts";
import type { MembershipFollower } from "../mesh/follow.ts";
import type { Identity } from "../mesh/identity.ts";
import type { Membership } from "../mesh/membership.ts";
import type { Substrate, Surroundings } from "../mesh/substrate.ts";
import type { InstanceDeps } from "../participant/instances.ts";
import { peerClient } from "../peers/ask.ts";
import { type PeerHandlers, peerServer } from "../peers/serve.ts";
import { type ClusterRuns, clusterRuns } from "../runs/cluster.ts";
import { openRuns, type RunDeps } from "../runs/open.ts";
import { keepSecretsClosed } from "../secrets/closing.ts";
import { localKeeper, type SecretKeeper } from "../secrets/keeper.ts";
import { remoteKeeper, secretHandlers } from "../secrets/peers.ts";
import { openCertificateFiles } from "../state/certificates.ts";
import type { Records } from "../state/records.ts";
import { openLeftovers } from "../streams/leftovers.ts";
import { openStreams, type Streams } from "../streams/open.ts";
import { connectTo, serveTransfers, type TransferServer } from "../transfer/server.ts";
import { openStoreAuthority, type StoreAuthority } from "./open.ts";
import { storePart } from "./peer-handlers.ts";
import { heardFromPeers, watchGeneration } from "./watch.ts";

export interface Wiring {
  readonly around: Surroundings;
  readonly initial: Membership;
  readonly identity: Identity;
  readonly substrate: Substrate;
  readonly store: Store;
  readonly nats: NatsStore;
  readonly mirror: Records;
  readonly follower: MembershipFollower;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly instances: RunDeps["instances"] & Pick<InstanceDeps, "sessions">;
  addressOf(machine: string): string | undefined;
}

/** A member's transfer port, with the calls between daemons and the store's handlers. */
export async function wirePeers(wiring: Wiring): Promise<{
  readonly transfers: TransferServer;
  readonly authority: StoreAuthority;
  readonly secrets: SecretKeeper;
  readonly streams: Streams;
  readonly runs: ClusterRuns;
  /** Ends when the signal aborts. */
  readonly watching: Promise<void>;
}> {
  const { around, initial, identity, substrate, store, nats, mirror, follower, log } = wiring;
  const { config, paths, payload } = around;
  const { machine: self, cluster } = initial;
  const natsServer = config.natsServer ?? payload.natsServer;
  const members = () => follower.known().machines;
  const peer = {
    ...{ cluster: cluster.id, self: self.id, nkeySeed: identity.nkeySeed },
    member: (id: string) => members().find((one) => one.id === id),
  };
  const ask = peerClient({ ...peer, port: config.transferPort });
  let handlers: Partial<PeerHandlers> = {};
  const transfers = await serveTransfers({
    ...{ address: self.address, port: config.transferPort, addressOf: wiring.addressOf },
    log: (error) => log.warn({ err: error }, "transfer"),
    peers: peerServer({
      ...peer,
      handlers: () => handlers,
      log: (error, command) => log.warn({ err: error, command }, "peer"),
    }),
  });
  const leftovers = openLeftovers(paths.streams);
  await leftovers.tidy();
  const heads = () => mirror.heads().map(({ value }) => value);
  const runs = openRuns({
    ...{ dir: paths.runs, pause: paths.pause, dnsSocket: paths.dnsSocket, instances: wiring.instances },
    ...{ heads, now: () => new Date(), log: (error: unknown) => log.warn({ err: error }, "run") },
  });
  await runs.resume();
  const { sessions } = wiring.instances;
  await sessions.tidy().catch((error: unknown) => log.warn({ err: error }, "run"));
  const streams = openStreams({
    ...{ self: self.id, runtime: substrate.runtime, leftovers, runs, sessions, store, ask },
    heads,
    connect: connectTo(wiring.addressOf, config.transferPort),
    log: (error) => log.warn({ err: error }, "stream"),
  });
  const start = async () => {
    const started = await substrate.startStore(follower.known());
    if (started.length > 0) log.info({ started }, "store");
  };
  let opened: Promise<void> | undefined;
  const open = (): Promise<void> => {
    opened ??= start();
    return opened;
  };
  const authority = openStoreAuthority({
    ...{ self: self.id, cluster: cluster.id, storePort: config.storePort, dataDir: config.dataDir },
    ...{ store, nats, ask, natsServer, mirror },
    members,
    sealKey: () => substrate.store.sealKey(),
    membership: follower.known,
    moved: follower.moved,
    restoreKeys: (machines) =>
      restoreKeys({
        ...{ facts: store.facts, ask, members, log: (error) => log.warn({ err: error }, "certificates") },
        secrets: remoteKeeper({
          ...{ ask, self: self.id },
          members: () => machines.map((id) => ({ id, store: true })),
        }),
      }),
    opened: () => opened !== undefined,
    open,
    newId: operationIds.newOperationId,
    offerFile: transfers.offerFile,
    log: (error) => log.warn({ err: error }, "store"),
  });
  const part = storePart({
    ...{ self, cluster: cluster.id, nkeySeed: identity.nkeySeed, dir: paths.store, natsServer, mirror },
    ...{ storePort: config.storePort, transferPort: config.transferPort, transfers },
    ...{ mirrorDir: join(paths.mirror, "daemon"), retentionDays: config.retention.days },
    ...{ services: around.services, local: substrate.store, membership: follower },
    coordinating: authority.coordinating,
    connectedTo: (generation) => nats.session.connected() && nats.session.generation() >= generation,
  });
  handlers = {
    ...part,
    ...streams.handlers(transfers),
    ...copyHandler(openCertificateFiles(paths.certificates)),
    "run.list": () => runs.list(),
    "run.stop": async ({ id }) => ({ stopped: await runs.stop(id) }),
    ...secretHandlers(() => localKeeper({ self: self.id, local: substrate.store, nats, facts: store.facts })),
  };
  const secrets = remoteKeeper({ ask, self: self.id, members });
  const watched = { session: nats.session, membership: follower, ask, self: self.id };
  const opening = async () => {
    await heardFromPeers(watched, wiring.signal);
    if (!wiring.signal.aborted) await open();
  };
  const watching = Promise.all([
    watchGeneration(watched, wiring.signal),
    opening().catch((error: unknown) => log.error({ err: error }, "store")),
    keepSecretsClosed(
      { self: self.id, session: nats.session, local: substrate.store, ask },
      (error) => log.warn({ err: error }, "closing the secrets"),
      wiring.signal,
    ),
  ]);
  return {
    transfers,
    authority,
    secrets,
    streams,
    runs: clusterRuns({ self: self.id, members, ask, runs }),
    watching: watching.then(() => {}),
  };
}
