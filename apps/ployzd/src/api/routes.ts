import { hostname } from "node:os";
import type { MeshStatus, SelfRecord } from "@ployz/primitives/client";
import type { OperationSummary } from "@ployz/primitives/protocol";
import type { Daemon } from "../daemon/daemon.ts";
import { joinByToken } from "../daemon/join-by-token.ts";
import { announceEndpoints } from "../mesh/announce.ts";
import { ensureIdentity, localEndpoints } from "../mesh/identity.ts";
import { checkedInit } from "../mesh/input.ts";
import { readMembership } from "../mesh/membership.ts";
import { detectRuntime } from "../mesh/runtime.ts";
import { invalid, operationId, operationRequest } from "../operations/request.ts";
import { unreadableWarnings } from "../warnings/cluster.ts";
import { crashWarnings } from "../warnings/crash-loops.ts";
import { accessAsked, mergedAccess } from "./access-log.ts";
import { alertRoutes } from "./alerts.ts";
import { backupRoutes, restoreRequest } from "./backups.ts";
import { certificateRoutes } from "./certificates.ts";
import { branchDocument, commitDocument, commitHistory, manifestDocument } from "./commits.ts";
import { daemonStatus } from "./daemon-status.ts";
import { examine } from "./doctor.ts";
import { clusterEvents } from "./events/events.ts";
import { gatewayRoutes } from "./gateways.ts";
import { imageRoutes } from "./images.ts";
import { inviteRoutes } from "./invites.ts";
import { keepMachine } from "./keep.ts";
import { logQuery } from "./log-query.ts";
import { mergedLogs } from "./logs.ts";
import { needNamespace, needTarget } from "./named.ts";
import { networkRoutes } from "./network-policy.ts";
import { registryRoutes } from "./registries.ts";
import type { ApiRoutes } from "./router.ts";
import { rttTable } from "./rtt.ts";
import { scheduleRoutes } from "./schedules.ts";
import { secretRoutes } from "./secrets.ts";
import { sharing } from "./shared.ts";
import { standbyRoutes } from "./standbys.ts";
import { clusterStatus } from "./status.ts";
import { tokenRoutes } from "./tokens/routes.ts";
import { announcedBy, instanceList, machineList, meshStatus, nameList } from "./views.ts";
import { exportVolume, importRequest, importVolume } from "./volume-files.ts";
import { presentStandbys, snapshotList, volumeList, withServiceStandbys, withStandbys } from "./volumes.ts";

const STATUS_MS = 30_000;

/** The local API: see `Api` and `ApiStreams` in @ployz/primitives/client. */
export function apiRoutes(daemon: Daemon): ApiRoutes {
  const { payload, config, paths } = daemon;
  const mesh = async (): Promise<MeshStatus> => {
    const member = daemon.present();
    return member === undefined ? { kind: "mesh", joined: false, peers: [] } : meshStatus(member);
  };
  // Looking at the cluster takes a call to each machine, and many may ask at once.
  const status = sharing(async () => clusterStatus(daemon.member(), AbortSignal.timeout(STATUS_MS)));
  return {
    json: {
      "GET /v1/version": async () => ({
        kind: "version",
        version: payload.version,
        build: payload.build,
        node: process.version,
      }),
      "POST /v1/daemon/keep": ({ signal }) => keepMachine(daemon, signal),
      "GET /v1/daemon": () => daemonStatus(daemon),
      "POST /v1/mesh/init": async ({ body }) => {
        await daemon.init(checkedInit(await body()));
        return mesh();
      },
      "GET /v1/mesh": mesh,
      "GET /v1/mesh/self": async ({ query }): Promise<SelfRecord> => {
        const { publicKey, nkey } = await ensureIdentity(paths);
        const membership = await readMembership(paths.membership);
        return {
          kind: "self-record",
          publicKey,
          nkey,
          endpoints: localEndpoints(config, { reachedAt: query.address }),
          hostname: hostname(),
          runtime: await detectRuntime(config, config.runtime),
          version: payload.version,
          ...(membership !== undefined && { cluster: membership.cluster.id, machine: membership.machine.id }),
          ...(config.region !== undefined && { region: config.region }),
          ...(config.az !== undefined && { az: config.az }),
        };
      },
      "POST /v1/mesh/join": async ({ body }) => {
        await daemon.join(await body());
        return mesh();
      },
      "POST /v1/mesh/join-by-token": async ({ body, signal }) => {
        const { token } = await body();
        await joinByToken(daemon, token, signal);
        return mesh();
      },
      ...inviteRoutes(daemon),
      ...tokenRoutes(daemon),
      ...scheduleRoutes(daemon),
      ...standbyRoutes(daemon),
      ...backupRoutes(daemon),
      ...secretRoutes(daemon),
      ...certificateRoutes(daemon),
      ...registryRoutes(daemon),
      ...alertRoutes(daemon),
      ...imageRoutes(daemon),
      "POST /v1/mesh/endpoints": async ({ body }) => {
        const { endpoints } = await body();
        const { store, membership } = daemon.member();
        const { cluster, machine } = membership();
        const wanted = endpoints ?? localEndpoints(config, { exclude: [cluster.clusterCidr] });
        await announceEndpoints(store, machine.id, wanted);
        return mesh();
      },
      "POST /v1/mesh/leave": async ({ body }) => {
        const { destroy = false, operation } = await body();
        const { left, kept } = await daemon.leave(destroy, operation);
        return { kind: "left", left, ...(kept.length > 0 && { kept }) };
      },
      "GET /v1/machines": ({ signal }) => machineList(daemon.member(), signal),
      "GET /v1/machines/rtt": ({ signal }) => rttTable(daemon.member(), signal),
      "GET /v1/status": status,
      "GET /v1/names": async () => nameList(daemon.member()),
      "GET /v1/store": () => daemon.member().authority.status(),
      "POST /v1/store/repair": async ({ body }) => daemon.member().records.repair(await body()),
      ...gatewayRoutes(daemon),
      ...networkRoutes(daemon),
      "PUT /v1/store/backup": async ({ request }) => ({
        kind: "upload",
        id: await daemon.member().authority.backups.take(request),
      }),
      "GET /v1/doctor": ({ signal }) => examine(daemon, signal),
      "GET /v1/runs": () => daemon.member().runs.list(),
      "POST /v1/runs/:id/stop": ({ params }) => daemon.member().runs.stop(params.id),
      "GET /v1/ps": async ({ query, signal }) => {
        const member = daemon.member();
        const { machines } = await machineList(member, signal, { usage: true });
        const { namespace, service } = query;
        const all = instanceList(
          { heads: member.heads(), announced: await announcedBy(member) },
          machines,
          namespace,
        );
        const instances = all.instances.filter((row) => service === undefined || row.service === service);
        const reachable = machines.flatMap(({ record, reachable: answers }) => (answers ? [record.id] : []));
        const runs = (await member.runs.list(new Set(reachable))).runs.filter(
          (run) =>
            (namespace === undefined || run.namespace === namespace) &&
            (service === undefined || run.service === service),
        );
        const list = withServiceStandbys(
          { ...all, instances, ...(runs.length > 0 && { runs }) },
          await presentStandbys(member, machines, namespace),
          { heads: member.heads(), service },
        );
        const unread = (await member.records.list()).filter(
          ({ key }) => namespace === undefined || key === `commit.${namespace}`,
        );
        // An instance of a first deploy, or one that a removed namespace left, is shown.
        if (namespace !== undefined && instances.length === 0 && unread.length === 0)
          needTarget(member.heads(), namespace, service);
        const warnings = [...unreadableWarnings(unread), ...crashWarnings(list.instances, Date.now())];
        return { ...list, ...(warnings.length > 0 && { warnings }) };
      },
      "GET /v1/namespaces/:ns/history": ({ params, query }) =>
        commitHistory(daemon.member().store.commits, params.ns, limitOf(query.limit)),
      "GET /v1/namespaces/:ns/commits/:commit": ({ params }) =>
        commitDocument(daemon.member().store.commits, params.ns, params.commit),
      "GET /v1/namespaces/:ns/manifest": ({ params, query }) =>
        manifestDocument(daemon.member().store.commits, params.ns, query.commit),
      "POST /v1/branch/manifest": async ({ body }) =>
        branchDocument(daemon.member().store.commits, await body()),
      "GET /v1/volumes": async ({ query, signal }) => {
        const member = daemon.member();
        const { machines } = await machineList(member, signal);
        const { namespace } = query;
        const list = volumeList(member.heads(), machines, namespace);
        if (namespace !== undefined && list.volumes.length === 0) needNamespace(member.heads(), namespace);
        return withStandbys(list, await presentStandbys(member, machines, namespace));
      },
      "GET /v1/volumes/:ns/:name/snapshots": ({ params, signal }) => {
        const member = daemon.member();
        const members = member.membership().machines.map(({ id }) => id);
        const asked = { namespace: params.ns, volume: params.name, members };
        return snapshotList(member.heads(), member.machines, asked, signal);
      },
      "GET /v1/operations": async ({ query }) => ({
        kind: "operations",
        operations: await daemon.member().runner.list(limitOf(query.limit), query.primitive?.split(",")),
      }),
      "GET /v1/operations/:id": ({ params }) => daemon.member().runner.show(operationId(params.id)),
      "POST /v1/operations/:id/abort": ({ params, query, signal }) =>
        abort(daemon, operationId(params.id), { giveUp: query.giveUp?.split("\n"), signal }),
      "GET /v1/bundles/:digest": async ({ params }) => {
        const { bundles } = daemon.member();
        await bundles.touch(params.digest);
        return { kind: "bundle", digest: params.digest, present: await bundles.has(params.digest) };
      },
      "PUT /v1/bundles/:digest": async ({ params, request }) => {
        const { bytes } = await daemon.member().bundles.put(params.digest, request);
        return { kind: "bundle", digest: params.digest, present: true, bytes };
      },
    },
    streams: {
      "POST /v1/operations": async function* ({ body }) {
        yield* daemon.member().run(operationRequest(await body()));
      },
      "GET /v1/operations/:id/events": ({ params, signal }) =>
        daemon.member().runner.events(operationId(params.id), signal),
      "POST /v1/volumes/import": ({ request, query }) =>
        importVolume(daemon.member(), request, importRequest(query)),
      "POST /v1/store/move": async function* ({ body }) {
        yield* daemon.member().authority.move(await body());
      },
      "POST /v1/store/restore": async function* ({ body, signal }) {
        const member = daemon.member();
        yield* member.authority.restore(await restoreRequest(member, await body(), signal));
      },
      "POST /v1/store/recover": async function* ({ body }) {
        yield* daemon.member().authority.recover(await body());
      },
      "GET /v1/audit": ({ query, signal }) =>
        daemon
          .member()
          .audit.read({ follow: query.follow === "true", tail: limitOf(query.tail ?? "100") }, signal),
      "GET /v1/events": ({ query, signal }) =>
        clusterEvents(daemon.member(), query, {
          signal,
          log: (error) => daemon.log.warn({ err: error }, "events"),
        }),
      "GET /v1/access": ({ query, signal }) => mergedAccess(daemon.member().logs, accessAsked(query), signal),
      "GET /v1/logs": ({ query, signal }) =>
        mergedLogs(daemon.member().logs, query.target ?? "", logQuery(query), signal),
    },
    bytes: {
      "GET /v1/volumes/:ns/:name/export": ({ params, query, signal }) =>
        exportVolume(
          daemon.member(),
          {
            ...{ namespace: params.ns, volume: params.name, snapshot: query.snapshot ?? "" },
            ...(query.since !== undefined && { since: query.since }),
          },
          { version: payload.version, signal },
        ),
      "POST /v1/store/snapshot": async ({ body }) =>
        daemon.member().authority.backups.make((await body()).passphrase),
    },
  };
}

function limitOf(text: string | undefined): number {
  const limit = Number(text ?? 50);
  if (!Number.isInteger(limit) || limit < 0 || limit > 10_000)
    throw invalid("a limit is a number from 0 to 10000");
  return limit;
}

/** Aborts here, on the machine that runs it, or, if no machine does, by undoing or finishing it now. */
async function abort(
  daemon: Daemon,
  operation: string,
  { giveUp, signal }: { readonly giveUp: readonly string[] | undefined; readonly signal: AbortSignal },
) {
  const member = daemon.member();
  const ended = await member.runner.endUnreadable(operation);
  if (ended !== undefined) return { kind: "abort" as const, operation, state: ended.state };
  const { summary } = await member.runner.show(operation);
  const elsewhere = summary.coordinator !== member.membership().machine.id && summary.state === "running";
  const asked = elsewhere ? await askToAbort(daemon, summary, signal) : false;
  const abort = { kind: "abort" as const, operation };
  if (asked) return { ...abort, state: "running" as const };
  const result = await member.runner.abort(operation, "operator", giveUp);
  if (!("owed" in result)) return { ...abort, ...result };
  const { state, revision, error, owed, warnings } = result;
  return {
    ...{ ...abort, state, owed, warnings },
    ...(revision !== undefined && { revision }),
    ...(error !== undefined && { error }),
  };
}

async function askToAbort(
  daemon: Daemon,
  { coordinator, operation }: OperationSummary,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return (
      await daemon
        .member()
        .machines.call(coordinator, "operation.abort", { operation }, { timeoutMs: 5_000, signal })
    ).running;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "machine_unreachable") return false; // its daemon is gone: the next holder of the lease resolves it
    throw error;
  }
}
