import { join } from "node:path";
import { openRpc, openStore } from "@ployz/nats-store";
import type { SecretRef } from "@ployz/primitives/protocol";
import { openBackups } from "../backups/open.ts";
import { certificateHandlers } from "../certificates/handlers.ts";
import { issueBy, runToEnd } from "../certificates/issue.ts";
import { keepCertificates } from "../certificates/keep.ts";
import { scheduleRenewals } from "../certificates/schedule.ts";
import { operationIds } from "../clock.ts";
import { keptPorts } from "../config/kept-ports.ts";
import { listenAddress } from "../config/listen.ts";
import { storePorts } from "../config/store-ports.ts";
import { imageParts } from "../images/parts.ts";
import { openInviter } from "../invites/open.ts";
import { watchFallbacks } from "../mesh/fallbacks.ts";
import { followMembership } from "../mesh/follow.ts";
import { meshHandlers } from "../mesh/handlers.ts";
import type { Identity } from "../mesh/identity.ts";
import { type Membership, writeMembership } from "../mesh/membership.ts";
import { openSubstrate, type Surroundings } from "../mesh/substrate.ts";
import { keepSubstrate } from "../mesh/upkeep.ts";
import { operationHandlers } from "../operations/handlers.ts";
import { openRunner } from "../operations/runner.ts";
import { adoptCommitted } from "../participant/adopt.ts";
import { openEndedLogs } from "../participant/ended-logs.ts";
import { gatewayHandlers } from "../participant/gateway.ts";
import { audited, type Handlers, handle, refusingNew, takesNew } from "../participant/handlers.ts";
import { contentHandlers } from "../participant/images.ts";
import { instanceHandlers } from "../participant/instances.ts";
import { cutOff, leaveHandler } from "../participant/leave.ts";
import { openLiveness } from "../participant/liveness.ts";
import { openMachines } from "../participant/machines.ts";
import { observeMachine } from "../participant/observe.ts";
import { openSessions } from "../participant/sessions.ts";
import { openBuilds } from "../participant/update/builds.ts";
import { updateHandlers } from "../participant/update/handlers.ts";
import type { VolumeDeps } from "../participant/volumes/deps.ts";
import { instanceVolumes, volumeHandlers } from "../participant/volumes/open.ts";
import { openSender } from "../participant/volumes/send.ts";
import { openUploads, withUploads } from "../participant/volumes/uploads.ts";
import { openRemote } from "../remote/remote.ts";
import { keepRouteUsers } from "../secrets/route-users.ts";
import { shipping, shippingProblems } from "../shipping/open.ts";
import { openAudit } from "../state/audit.ts";
import { openCertificateFiles } from "../state/certificates.ts";
import { openFences } from "../state/fences.ts";
import { serialiseByKey } from "../state/files.ts";
import { openInstanceFiles } from "../state/instance-files.ts";
import { mirrorRecords, newestLease, openRecords } from "../state/records.ts";
import { openReservations } from "../state/reservations.ts";
import { openInstanceSecrets } from "../state/secrets.ts";
import { openStopped } from "../state/stopped.ts";
import { unreadableRecords } from "../store/repair.ts";
import { wirePeers } from "../store/wire.ts";
import { openBundles } from "../transfer/bundles.ts";
import { fetchFrom } from "../transfer/server.ts";
import { alertFacts } from "./alert-facts.ts";
import type { Life } from "./callbacks.ts";
import { memberChanges } from "./changes.ts";
import { operationsAsked } from "./dispatch.ts";
import { installedHere } from "./installed.ts";
import { logSources, runningAlone } from "./log-sources.ts";
import { openMeasures } from "./measure.ts";
import type { Member } from "./member-parts.ts";
import { serveMember } from "./serve.ts";
import { settleMember } from "./settle.ts";
import { tokenFacts } from "./token-facts.ts";
import { watchOperations } from "./watch-operations.ts";
import { watchTakeovers } from "./yielding.ts";

export async function openMember(
  around: Surroundings,
  initial: Membership,
  identity: Identity,
  life: Life,
): Promise<Member> {
  const { log, take } = life;
  const warn = (what: string) => (error: unknown) => log.warn({ err: error }, what);
  const { config, paths, payload, storage } = around;
  const { machine: self, cluster } = initial;
  const substrate = await openSubstrate(around, initial);
  const started = await substrate.up(initial);
  if (started.length > 0) log.info({ started }, "data plane");
  const reservations = await openReservations(paths.reservations, substrate.range);
  const fences = await openFences(paths.fences, () => newestLease(nats));
  const bundles = openBundles(paths.bundles);
  await bundles.tidy();
  const builds = openBuilds(payload, paths.releaseKey);
  const nats = openStore({
    ...{ servers: initial.storeServers, nkeySeed: identity.nkeySeed },
    ...{ cluster: cluster.id, machine: self.id, generation: cluster.generation },
    blocked: substrate.storeBlocked,
  });
  const { store, unreadableOperations } = openRecords(nats, warn("store"));
  const dir = join(paths.mirror, "daemon");
  const mirror = await mirrorRecords({ dir, store: nats, onError: warn("mirror") });
  const heads = () => mirror.heads().map(({ revision, value }) => ({ revision, commit: value }));
  const commits = () => heads().map(({ commit }) => commit);
  const stopped = await openStopped(paths.stopped);
  const stop = new AbortController();
  const endedLogs = openEndedLogs(paths.endedLogs, substrate.runtime, config.logKeep, () => Date.now());
  const { runtime, shipper } = await shipping(config.logForward, {
    ...{ cluster: cluster.name, machine: self.id, path: paths.shipped, kept: endedLogs, signal: stop.signal },
    ...{ runtime: substrate.runtime, now: Date.now, log: warn("logs") },
  });
  const volumes: VolumeDeps = {
    ...{ self: self.id, storage, runtime, retention: config.retention },
    ...{ inTurn: serialiseByKey(), now: Date.now, log: warn("volumes") },
  };
  const deps = {
    sessions: openSessions({ runtime, pause: paths.pause, log: warn("run") }),
    ...{ runtime, reservations, stopped, bundles, address: self.address },
    ...{ endedLogs, log: warn("instances") },
    ...{ files: openInstanceFiles(paths.instanceFiles), secrets: openInstanceSecrets(paths.secrets) },
    readSecrets: (refs: readonly SecretRef[]) => secrets.read(refs),
    volumes: instanceVolumes(volumes, paths.volumes),
  };
  const backups = openBackups({ self, cluster, payload, store, storage, runtime, paths });
  const uploads = openUploads(operationIds.newOperationId);
  const local = openSender(volumes);
  const instances = instanceHandlers(deps);
  const letGo = async (error: unknown): Promise<never> => {
    stop.abort();
    await mirror.close();
    await nats.close();
    throw error;
  };
  // Before the instances that need them. Without its pool a machine continues without volumes, and reports it.
  if (storage.root !== undefined)
    await storage
      .ready()
      .then(() => Promise.all([local.tidy(), backups.tidy()]))
      .catch((error: unknown) => log.error({ err: error }, "volumes"));
  await substrate.isolated((error) => log.error({ err: error }, "network policy")).catch(letGo);
  let adoption = await adoptCommitted(self.id, commits(), deps, false).catch(letGo);
  log.info(adoption, "adoption");
  const follower = followMembership({
    store,
    storePort: config.storePort,
    initial,
    signal: stop.signal,
    log: (error) => log.error({ err: error }, "membership"),
    async apply(next) {
      await writeMembership(paths.membership, next);
      nats.session.switchServers(next.cluster.generation, next.storeServers);
      await Promise.all([substrate.setPeers(next), substrate.setUsers(next)]);
    },
  });
  const addressOf = (machine: string) =>
    follower.present().machines.find((member) => member.id === machine)?.address;
  const { transfers, authority, secrets, streams, runs, watching } = await wirePeers({
    ...{ around, initial, identity, substrate, store, nats, mirror, follower },
    ...{ addressOf, log, signal: stop.signal, instances: deps },
  }).catch(letGo);
  const roaming = watchFallbacks(substrate.wireguard, stop.signal, warn("wireguard"));
  const upkeep = keepSubstrate({ substrate, volumes }, follower.present, stop.signal, log);
  const generation = () => Math.max(follower.present().cluster.generation, nats.session.generation());
  let handlers: Handlers | undefined;
  const rpc = openRpc(nats.session);
  const measures = openMeasures({
    ...{ config, version: payload.version, machine: self.id },
    parts: () => ({
      ...{ paths, wireguard: substrate.wireguard, follower, mirror, runner, storeConnected },
      observe: all["machine.observe"],
    }),
    log: warn("metrics"),
  });
  const storeConnected = () => nats.session.connected();
  const direct = openMachines(rpc, {
    self: self.id,
    local() {
      const ready = handlers;
      return (
        ready && ((command, args, fence, context) => handle(ready, fences, command, args, fence, context))
      );
    },
    versionOf: (machine) => follower.present().machines.find(({ id }) => id === machine)?.version,
  });
  const machines = measures.machines(direct);
  const fetch = fetchFrom(addressOf, config.transferPort);
  const runner = openRunner({
    ...{ store, machines, self: self.id, generation },
    openRemote: (credentials) => openRemote(payload, credentials),
    ...installedHere({
      ...{ self: self.id, payload, builds },
      storePort: () => storePorts(config.storePort, generation()).client,
    }),
    log: (error, operation) => log.error({ err: error, operation }, "operation"),
    owes: () => unfinished.chance(),
    heard: measures.operation,
  });
  const unfinished = watchOperations({
    ...{ store, machines, runner, self: self.id, signal: stop.signal, session: nats.session },
    ...{ heads, stopped, log, mirror, members: () => follower.known().machines },
    resume: (id) => instances["instance.resume"]({ id }, { signal: stop.signal, progress() {} }),
  });
  const kept = keepCertificates({
    ...{ facts: store.facts, mirror, secrets, gatewaySocket: paths.gatewaySocket, signal: stop.signal },
    ...{ files: openCertificateFiles(paths.certificates), log: warn("certificates") },
  });
  const users = keepRouteUsers({ mirror, secrets, paths, log, signal: stop.signal });
  const renewing = scheduleRenewals({
    ...{ self: self.id, facts: store.facts, mirror, signal: stop.signal },
    issue: (input) => runToEnd(runner.run, { primitive: "cert-issue", input, by: `schedule@${self.id}` }),
    log: warn("renewal"),
  });
  const watched = { self: self.id, path: paths.hangs, runtime, stopped, log, heads: commits };
  const liveness = await openLiveness({ ...watched, onHeads: mirror.onChange, signal: stop.signal });
  const loops = [kept.ended, users, renewing, liveness.ended, shipper?.ended];
  const tokens = tokenFacts(mirror);
  const inviter = openInviter({ self, cluster, config, paths, store, runner, log, tokens, take });
  const all: Handlers = {
    "machine.observe": (args) =>
      observeMachine(
        {
          ...{ runtime, storage, self: self.id, version: payload.version, build: payload.build },
          draining: !takesNew(follower.known().machine.state),
          ...{ notStarted: adoption.failed, logProblems: shippingProblems(shipper) },
          ...{ overlayAddress: substrate.network.gateway },
          ...{ gatewayAddress: listenAddress(config.gatewayListen), keptPorts: keptPorts(config) },
          ...{ refuses: config.refusedRights, allowed: config.allowed, gatewaySocket: paths.gatewaySocket },
          ...{ overcommitRatio: config.overcommitRatio, mtu: substrate.network.mtu, hangs: liveness.hangs },
        },
        args,
      ),
    ...operationHandlers(runner, self.id),
    ...leaveHandler({
      self: self.id,
      observe: (args, context) => all["machine.observe"](args, context),
      running: runner.running,
      leaving: (operation) => life.leaving(operation),
    }),
    ...contentHandlers({
      ...{ runtime, bundles, builds, transfers, machines, fetch, self: self.id },
      volumes: uploads.sender(local),
      ...imageParts({ substrate, store, bundles, secrets, mirror, config, paths, log, signal: stop.signal }),
    }),
    ...instances,
    ...{ ...gatewayHandlers(paths.gatewaySocket), ...backups.handlers(secrets, authority.backups) },
    ...certificateHandlers({
      ...{ self: self.id, store, machines, secrets, kept, config, gatewaySocket: paths.gatewaySocket },
      members: () => follower.known().machines,
      issue: issueBy(runner.run, self.id),
    }),
    ...withUploads(volumeHandlers({ ...volumes, machines, fetch }), uploads),
    ...updateHandlers({
      ...{ self: self.id, payload, builds, runtime, config, paths, machines, fetch },
      services: around.services,
      running: runner.running,
    }),
    ...meshHandlers({
      ...{ wireguard: substrate.wireguard, mtu: substrate.network.mtu, membership: follower, mirror },
      ...{ gatewaySocket: paths.gatewaySocket, dnsSocket: paths.dnsSocket },
    }),
  };
  const measured = await measures.serve(self.address);
  const audit = openAudit(paths.audit, warn("audit"));
  const refusing = refusingNew(all, () => follower.known().machine.state);
  handlers = audited(refusing, audit);
  const logged = { runtime, endedLogs, accessLog: paths.accessLog };
  const served = serveMember(nats.session, { handlers, fences, runner, ...logged, log });

  const settled = settleMember({
    ...{ dataDir: config.dataDir, unfinished: unfinished.chance },
    ...{ self: self.id, deps, volumes, storage, store, mirror, inviter, runner, log, signal: stop.signal },
    ...watchTakeovers({ mirror, instances: deps, volumes, heads }),
    ...{ heads: commits, adoption: () => adoption },
    report(found) {
      adoption = found;
    },
  });
  return {
    ...{ substrate, store, machines, runner, bundles, uploads, fetch, inviter, tokens },
    ...{ authority, backups, secrets, streams, runs, upkeep, audit, heads },
    ...{ membership: follower.known, storeConnected, metrics: measured.state, removed: follower.removed },
    ...(shipper && { shipping: shipper.state }),
    run: operationsAsked({
      ...{ rpc, machines, self: self.id, left: life.left, signal: stop.signal },
      ...{ runner, authority, members: () => follower.known().machines, follow: runner.events },
    }),
    ...{ cutOff: (ms) => cutOff(nats.session, ms), adoption: () => adoption },
    records: unreadableRecords({ facts: nats.facts, mirror, unreadableOperations }),
    ...{ alerts: alertFacts(mirror), changes: memberChanges(mirror) },
    logs: logSources({
      ...{ rpc, ...logged, heads, self: self.id, onHeads: mirror.onChange },
      machines: () => follower.known().machines.map(({ id }) => id),
      runs: async () => [...(await runs.list()).runs, ...runningAlone(mirror)],
    }),
    async close() {
      stop.abort();
      await inviter.close();
      served.close();
      await measured.close();
      await transfers.close();
      await mirror.close();
      await nats.close();
      await Promise.all([settled, follower.ended, watching, roaming, upkeep.ended, ...loops]);
    },
  };
}
