import { join } from "node:path";
import { PloyzError } from "@ployz/exec";
import { openMirror, openRpc, openStore, serve } from "@ployz/nats-store";
import type { AdoptionReport, Commit, Json, Machines, Store } from "@ployz/primitives";
import { planSubnet } from "@ployz/wireguard";
import type { Logger } from "pino";
import { followMembership } from "../mesh/follow.ts";
import type { Identity } from "../mesh/identity.ts";
import { type Membership, writeMembership } from "../mesh/membership.ts";
import { openSubstrate, type Substrate, type Surroundings } from "../mesh/substrate.ts";
import { openRunner, type Runner } from "../operations/runner.ts";
import { adoptCommitted, removeStrays } from "../participant/adopt.ts";
import { gatewayHandlers } from "../participant/gateway.ts";
import { type Handlers, handle } from "../participant/handlers.ts";
import { contentHandlers } from "../participant/images.ts";
import { instanceHandlers } from "../participant/instances.ts";
import { openMachines } from "../participant/machines.ts";
import { meshHandlers } from "../participant/membership.ts";
import { observeMachine } from "../participant/observe.ts";
import { instanceVolumes, volumeHandlers } from "../participant/volumes/open.ts";
import { openSender } from "../participant/volumes/send.ts";
import { settleStrays } from "../participant/volumes/strays.ts";
import type { VolumeWorld } from "../participant/volumes/world.ts";
import { openRemote } from "../remote/remote.ts";
import { openFences } from "../state/fences.ts";
import { serialiseByKey } from "../state/files.ts";
import { openReservations } from "../state/reservations.ts";
import { openStopped } from "../state/stopped.ts";
import type { StoreAuthority } from "../store/open.ts";
import { storePorts } from "../store/ports.ts";
import { wirePeers } from "../store/wire.ts";
import { type Bundles, openBundles } from "../transfer/bundles.ts";
import { fetchOffer } from "../transfer/server.ts";
import { offered } from "../transfer/sources.ts";

/** This machine as a member: everything that runs only after `mesh init` or `mesh join`. */
export interface Member {
  readonly substrate: Substrate;
  readonly store: Store;
  readonly machines: Machines;
  readonly runner: Runner;
  readonly bundles: Bundles;
  readonly authority: StoreAuthority;
  membership(): Membership;
  storeConnected(): boolean;
  adoption(): AdoptionReport;
  /** Log lines of one instance, wherever it runs. */
  logs(
    machine: string,
    id: string,
    options: { follow: boolean; tail: number },
    signal: AbortSignal,
  ): AsyncIterable<LogItem>;
  /** The last commit of every namespace, from the local mirror. */
  heads(): readonly { readonly revision: number; readonly commit: Commit }[];
  /** Ends this process's part; the data plane goes on. */
  close(): Promise<void>;
}

export type LogItem = { readonly time: string; readonly stream: "stdout" | "stderr"; readonly line: string };

export async function openMember(
  around: Surroundings,
  initial: Membership,
  identity: Identity,
  log: Logger,
): Promise<Member> {
  const { config, paths, payload, storage } = around;
  const { machine: self, cluster } = initial;
  const substrate = await openSubstrate(around, initial);
  const { runtime } = substrate;
  const started = await substrate.up(initial);
  if (started.length > 0) log.info({ started }, "data plane");

  const reservations = await openReservations(paths.reservations, substrate.range);
  const fences = await openFences(paths.fences);
  const bundles = openBundles(paths.bundles);
  await bundles.tidy();
  const store = openStore({
    servers: initial.storeServers,
    nkeySeed: identity.nkeySeed,
    cluster: cluster.id,
    machine: self.id,
    generation: cluster.generation,
  });
  const mirror = await openMirror({
    dir: join(paths.mirror, "daemon"),
    store,
    onError: (error) => log.warn({ err: error }, "mirror"),
  });
  const heads = () =>
    mirror.heads().map((entry) => ({ revision: entry.revision, commit: entry.value as unknown as Commit }));
  const stopped = await openStopped(paths.stopped);
  const volumes: VolumeWorld = {
    ...{ self: self.id, storage, runtime, retention: config.retention },
    inTurn: serialiseByKey(),
    now: () => Date.now(),
    log: (error) => log.warn({ err: error }, "volumes"),
  };
  const world = {
    ...{ runtime, reservations, stopped, bundles, address: self.address },
    volumes: instanceVolumes(volumes, paths.volumes),
  };
  const sender = openSender(volumes);
  const stop = new AbortController();
  const letGo = async (error: unknown): Promise<never> => {
    stop.abort();
    await mirror.close();
    await store.close();
    throw error;
  };
  // Before the instances that need them. A machine whose pool is not there goes on without volumes, and says so.
  if (storage.root !== undefined)
    await storage
      .ready()
      .then(() => sender.tidy())
      .catch((error: unknown) => log.error({ err: error }, "volumes"));
  let adoption = await adoptCommitted(
    self.id,
    heads().map(({ commit }) => commit),
    world,
  ).catch(letGo);
  log.info(adoption, "adoption");

  const follower = followMembership({
    store,
    storePort: config.storePort,
    initial,
    signal: stop.signal,
    log: (error) => log.error({ err: error }, "membership"),
    async apply(next) {
      await writeMembership(paths.membership, next);
      store.session.switchServers(next.cluster.generation, next.storeServers);
      await Promise.all([substrate.setPeers(next), substrate.setUsers(next)]);
    },
  });
  const addressOf = (machine: string) =>
    follower.present().machines.find((member) => member.id === machine)?.address;
  const { transfers, authority, watching } = await wirePeers({
    ...{ around, initial, identity, substrate, store, mirror, follower, addressOf, log, signal: stop.signal },
    open: offered(sender, bundles, runtime),
  }).catch(letGo);
  const generation = () => Math.max(follower.present().cluster.generation, store.session.generation());
  let handlers: Handlers | undefined;
  const rpc = openRpc(store.session);
  const machines = openMachines(rpc, self.id, () => {
    const ready = handlers;
    return ready && ((command, args, fence, context) => handle(ready, fences, command, args, fence, context));
  });
  const runner = openRunner({
    store,
    machines,
    self: self.id,
    generation,
    openRemote: (credentials) => openRemote(payload, credentials),
    machineAdd: {
      payload: { version: payload.version, build: payload.build },
      get storePort() {
        return storePorts(config.storePort, generation()).client;
      },
      subnets:
        ({ clusterCidr, subnetPrefixLength }) =>
        (index) => {
          try {
            const { subnet, machineAddress } = planSubnet({
              clusterCidr,
              prefixLength: subnetPrefixLength,
              index,
            });
            return { subnet, address: machineAddress };
          } catch (error) {
            if (error instanceof PloyzError) return undefined; // beyond the range
            throw error;
          }
        },
    },
    log: (error, operation) => log.error({ err: error, operation }, "operation"),
  });
  handlers = {
    "machine.observe": ({ namespaces }) =>
      observeMachine(
        {
          runtime,
          self: self.id,
          version: payload.version,
          gatewayAddress: hostOf(config.gatewayListen),
          storage,
          overcommitRatio: config.overcommitRatio,
        },
        namespaces,
      ),
    "operation.running": async ({ operation }) => ({ running: runner.isRunning(operation) }),
    "operation.abort": async ({ operation }) => {
      const running = runner.isRunning(operation);
      if (running) await runner.abort(operation, self.id);
      return { running };
    },
    ...contentHandlers({
      runtime,
      bundles,
      transfers,
      volumes: sender,
      machines,
      self: self.id,
      transferPort: config.transferPort,
      addressOf,
    }),
    ...instanceHandlers(world),
    ...gatewayHandlers(paths.gatewaySocket),
    ...volumeHandlers({
      ...volumes,
      machines,
      fetch(machine, token, signal) {
        const address = addressOf(machine);
        if (address !== undefined) return fetchOffer(address, config.transferPort, token, signal);
        throw new PloyzError({ code: "no_such_machine", message: `${machine} is not a member here` });
      },
    }),
    ...meshHandlers({
      wireguard: substrate.wireguard,
      membership: follower,
      gatewaySocket: paths.gatewaySocket,
      dnsSocket: paths.dnsSocket,
    }),
  };
  const table = handlers;
  const served = serve(store.session, {
    calls: Object.fromEntries(
      Object.keys(table).map((name) => [
        name,
        async (args: Json, { meta, signal, progress }) =>
          (await handle(table, fences, name, args, meta.fence, { signal, progress })) as Json,
      ]),
    ),
    streams: {
      "logs.stream": async function* (args, { signal }) {
        const { id, follow, tail } = args as { id: string; follow: boolean; tail: number };
        for await (const line of runtime.logs(id, { follow, tail, signal })) yield { ...line };
      },
    },
    onError: (error, command) => log.error({ err: error, command }, "rpc"),
  });

  const settled = settle();
  async function settle(): Promise<void> {
    try {
      await mirror.synced();
      const interrupted = await runner.markInterrupted();
      if (interrupted.length > 0)
        log.warn({ interrupted }, "operations that the last daemon left unfinished");
      const pool = storage.present();
      const removed = [
        ...(await removeStrays(self.id, store, world)),
        ...(pool === undefined ? [] : await settleStrays(volumes, pool, store)),
      ];
      // Commits that came while the daemon was down may want instances that the first look did not know of.
      const again = await adoptCommitted(
        self.id,
        heads().map(({ commit }) => commit),
        world,
      );
      const recreated = [...adoption.recreated, ...again.recreated];
      const made = new Set(recreated.map(({ what }) => what));
      adoption = { ...again, adopted: again.adopted.filter((id) => !made.has(id)), recreated, removed };
      if (removed.length > 0) log.warn({ removed }, "strays");
    } catch (error) {
      if (!stop.signal.aborted) log.error({ err: error }, "settling after the start");
    }
  }

  return {
    substrate,
    store,
    machines,
    runner,
    bundles,
    authority,
    membership: follower.known,
    storeConnected: () => store.session.connected(),
    adoption: () => adoption,
    heads,
    logs: (machine, id, options, signal) =>
      rpc.callStream(
        machine,
        "logs.stream",
        { id, ...options },
        { signal },
      ) as unknown as AsyncIterable<LogItem>,
    async close() {
      stop.abort();
      served.close();
      await transfers.close();
      await mirror.close();
      await store.close();
      await Promise.all([settled, follower.ended, watching]);
    },
  };
}

const hostOf = (listen: string): string => listen.slice(0, listen.lastIndexOf(":"));
