import { setTimeout as delay } from "node:timers/promises";
import { run } from "@ployz/exec";
import type { InstanceStart, SecretRef } from "@ployz/primitives/protocol";
import type { InstanceSpec, Runtime } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import { serialiseByKey } from "../state/files.ts";
import type { InstanceFiles } from "../state/instance-files.ts";
import type { Reservations } from "../state/reservations.ts";
import type { InstanceSecrets } from "../state/secrets.ts";
import type { Stopped } from "../state/stopped.ts";
import type { Bundles } from "../transfer/bundles.ts";
import type { EndedLogs } from "./ended-logs.ts";
import type { Handlers } from "./handlers.ts";
import { labelsOf, usesOf, type VolumeUse } from "./labels.ts";
import { awaitReady, lastLines } from "./readiness.ts";
import type { Sessions } from "./sessions.ts";

export interface InstanceDeps {
  readonly runtime: Runtime;
  readonly reservations: Reservations;
  readonly stopped: Stopped;
  readonly secrets: InstanceSecrets;
  readonly files: InstanceFiles;
  /** Fetches their values, in order, from a store machine. */
  readSecrets(secrets: readonly SecretRef[]): Promise<readonly string[]>;
  readonly bundles: Bundles;
  readonly endedLogs: EndedLogs;
  log(error: unknown): void;
  readonly volumes: InstanceVolumes;
  readonly sessions: Sessions;
  /** The machine's overlay address, on which its DNS listens. */
  readonly address: string;
}

/** Volume operations that instances need: see participant/volumes. */
export interface InstanceVolumes {
  /** The volume's folder to mount into instances. */
  path(id: string): string;
  /** Runs the task with the volumes mounted and held. @throws PloyzError `volume_missing`, `volume_sealed`, `volume_in_use`. */
  use<T>(
    instance: Pick<InstanceStart, "id" | "user" | "image"> & { readonly volumes?: readonly VolumeUse[] },
    task: () => Promise<T>,
  ): Promise<T>;
  /** The time of a remount after its mount died: older instances have only the dead mount. Epoch milliseconds. */
  remountedAt(id: string): number | undefined;
}

/** Converts the operation's arguments to the runtime's spec. The same input gives the same instance, also at adoption. */
export async function instanceSpec(
  start: InstanceStart,
  deps: Pick<InstanceDeps, "address" | "bundles" | "volumes" | "secrets" | "files">,
): Promise<InstanceSpec> {
  const values = await deps.secrets.values(start.id, start.secrets);
  const variables = Object.entries(values).filter(([place]) => !place.startsWith("/"));
  return {
    id: start.id,
    labels: labelsOf(start),
    ...(start.image !== undefined && { image: start.image.digest }),
    ...(start.bundle !== undefined && { bundle: deps.bundles.path(start.bundle.digest) }),
    ...(start.entrypoint !== undefined && { entrypoint: start.entrypoint }),
    ...(start.command !== undefined && { command: start.command }),
    env: { ...start.env, ...Object.fromEntries(variables) },
    ...(start.user !== undefined && { user: start.user }),
    address: start.address,
    dns: { server: deps.address, search: [`${start.namespace}.cluster.local`] },
    hostname: `${start.service}-${start.slot}`.slice(0, 63),
    mounts: [
      ...(start.volumes ?? []).map(({ id, target }) => ({ source: deps.volumes.path(id), target })),
      ...(await deps.files.write(start, values)),
    ],
    ...(start.container !== undefined && { container: start.container }),
    ...(start.resources !== undefined && { resources: start.resources }),
    restart: start.kind === "job" ? "no" : "always",
    ...(start.workingDir !== undefined && { workdir: start.workingDir }),
    ...(start.stopSignal !== undefined && { stopSignal: start.stopSignal }),
    stopGraceMs: start.stopGraceMs,
  };
}

/** With its address, its secrets and its files; its log is kept. Repeating it changes nothing. */
export async function removeInstance(
  id: string,
  deps: Pick<
    InstanceDeps,
    "endedLogs" | "runtime" | "reservations" | "stopped" | "secrets" | "files" | "log"
  >,
): Promise<void> {
  await deps.endedLogs.keep(id).catch(deps.log); // its log is not worth a failed removal
  await deps.runtime.remove(id);
  await deps.reservations.release(id);
  await deps.stopped.remove(id);
  await deps.secrets.forget(id);
  await deps.files.remove(id);
}

type InstanceCommands =
  | "instance.reserve"
  | "instance.release"
  | "instance.secrets"
  | "instance.start"
  | "instance.ready"
  | "instance.wait"
  | "instance.stop"
  | "instance.resume"
  | "instance.retire"
  | "instance.remove"
  | "instance.logs";

export function instanceHandlers(deps: InstanceDeps): Pick<Handlers, InstanceCommands> {
  const { runtime, reservations, stopped, secrets, volumes } = deps;

  async function remove(id: string): Promise<null> {
    await removeInstance(id, deps);
    return null;
  }

  // A start whose caller timed out may still run when its undo arrives: serialise all work on one instance.
  const inTurn = serialiseByKey();

  return {
    "instance.reserve": ({ id }) => inTurn(id, async () => ({ address: await reservations.reserve(id) })),
    "instance.release": ({ id }) =>
      inTurn(id, async () => {
        await reservations.release(id);
        return null;
      }),
    "instance.secrets": ({ id, secrets: wanted }) =>
      inTurn(id, async () => {
        const values = await deps.readSecrets(Object.values(wanted));
        const byVariable = Object.keys(wanted).map((variable, index) => [variable, values[index] ?? ""]);
        await secrets.keep(id, wanted, Object.fromEntries(byVariable));
        return null;
      }),
    "instance.start": (start) =>
      inTurn(start.id, () =>
        volumes.use(start, async () => {
          const spec = await instanceSpec(start, deps);
          await runtime.create(start.interactive === true ? await deps.sessions.waiting(spec) : spec);
          const { startedAt } = await runtime.start(start.id);
          if (start.interactive === true) deps.sessions.opened(start.id);
          return { startedAt: startedAt ?? "" };
        }),
      ),
    "instance.ready": (args, { signal }) => awaitReady(runtime, args, signal),
    "instance.wait": async ({ id, timeoutMs, interactive }, { signal }) => {
      const exitCode = await jobEnd(runtime, id, timeoutMs, signal);
      if (exitCode !== 0 && interactive !== true) {
        throw new PloyzError({
          code: "job_failed",
          message: `${id} ended with exit code ${exitCode}`,
          hint: "see its last log lines",
          details: { exitCode, logs: await lastLines(runtime, id) },
        });
      }
      return { exitCode };
    },
    "instance.stop": ({ id, graceMs }) =>
      inTurn(id, async () => {
        await stopped.add(id);
        await runtime.stop(id, { graceMs });
        return null;
      }),
    "instance.resume": ({ id }) =>
      inTurn(id, async () => {
        const { state, labels } = await runtime.inspect(id);
        if (state !== "absent") await volumes.use({ id, volumes: usesOf(labels) }, () => runtime.start(id));
        await stopped.remove(id);
        return null;
      }),
    "instance.retire": ({ id, drainMs, graceMs }, { signal }) =>
      inTurn(id, async () => {
        await drained(runtime, id, drainMs, signal);
        await runtime.stop(id, { graceMs });
        return remove(id);
      }),
    "instance.remove": ({ id }) => inTurn(id, () => remove(id)),
    "instance.logs": async ({ id, tail }) => ({ lines: await lastLines(runtime, id, tail) }),
  };
}

/** Waits for a job's exit code. Its time-out counts from its start, so that a repeated call does not extend it. */
async function jobEnd(runtime: Runtime, id: string, timeoutMs: number, signal: AbortSignal): Promise<number> {
  const { startedAt } = await runtime.inspect(id);
  const ran = startedAt === undefined ? 0 : Date.now() - Date.parse(startedAt);
  const late = AbortSignal.timeout(Math.max(1, timeoutMs - ran));
  try {
    return (await runtime.wait(id, AbortSignal.any([late, signal]))).exitCode;
  } catch (error) {
    if (signal.aborted || !late.aborted) throw error;
    throw new PloyzError({
      code: "job_timeout",
      message: `${id} did not end within ${timeoutMs} ms`,
      hint: "see its last log lines, or raise timeout in the manifest",
      details: { logs: await lastLines(runtime, id) },
    });
  }
}

/**
 * Waits until the instance has no connections left, at most `drainMs`. Every gateway and DNS has removed it already, so remaining
 * connections are in flight. The kernel has no event for this: polls every 50 ms.
 */
async function drained(runtime: Runtime, id: string, drainMs: number, signal: AbortSignal): Promise<void> {
  const { pid, state, address } = await runtime.inspect(id);
  if (state !== "running" || pid === undefined || address === undefined) return;
  const end = performance.now() + drainMs;
  while (performance.now() < end) {
    signal.throwIfAborted();
    if ((await inboundConnections(pid, address)) === 0) return;
    await delay(Math.min(50, Math.max(0, end - performance.now())), undefined, { signal });
  }
}

/** Established connections whose local end is a port that the instance listens on (ss(8), in its network namespace). */
async function inboundConnections(pid: number, address: string): Promise<number> {
  const ss = async (...filter: string[]) =>
    (await run("nsenter", ["-t", String(pid), "-n", "ss", "-Htn", ...filter], { okExitCodes: [0, 1] })).stdout
      .split("\n")
      .filter((line) => line !== "");
  const [listening, established] = await Promise.all([ss("-l"), ss("state", "established", "src", address)]);
  const port = (endpoint: string | undefined) => endpoint?.slice(endpoint.lastIndexOf(":") + 1);
  const open = new Set(listening.map((line) => port(line.trim().split(/\s+/)[3])));
  return established.filter((line) => open.has(port(line.trim().split(/\s+/)[2]))).length;
}
