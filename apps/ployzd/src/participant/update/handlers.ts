import { Transform } from "node:stream";
import { type ServiceHost, waitFor } from "@ployz/exec";
import type { Machines } from "@ployz/primitives/protocol";
import type { InstanceStatus, Runtime } from "@ployz/runtime";
import type { Config } from "../../config/load.ts";
import { PloyzError } from "../../error-codes.ts";
import type { Payload } from "../../host/payload.ts";
import type { Paths } from "../../state/paths.ts";
import type { Handlers } from "../handlers.ts";
import type { Builds } from "./builds.ts";
import { dataPlanePids, readSwap, SWAP_SERVICE, type Swap, writeSwap } from "./record.ts";

export interface UpdateDeps {
  readonly self: string;
  readonly payload: Payload;
  readonly builds: Builds;
  readonly services: ServiceHost;
  readonly runtime: Runtime;
  readonly config: Config;
  readonly paths: Paths;
  readonly machines: Machines;
  /** Operations that this daemon runs. */
  running(): readonly string[];
  fetch(machine: string, token: string, signal: AbortSignal): Promise<import("node:stream").Readable>;
}

type UpdateCommands = "update.look" | "payload.ensure" | "payload.remove" | "update.switch" | "update.await";

export function updateHandlers(deps: UpdateDeps): Pick<Handlers, UpdateCommands> {
  const { self, payload, builds, services, paths } = deps;
  let ensuring: Promise<unknown> = Promise.resolve();

  /** The last finished switch. A switch whose process is gone has finished too: the running build tells its result. */
  const settled = (signal: AbortSignal): Promise<Swap | null> =>
    waitFor(
      "the switch to another build",
      async () => {
        const swap = await readSwap(paths.swap);
        if (swap?.state !== "switching") return swap ?? null;
        if ((await services.status(SWAP_SERVICE)).state === "running") return undefined;
        const now = await readSwap(paths.swap);
        if (now?.state !== "switching") return now ?? null;
        const state = now.to === payload.build ? ("done" as const) : ("reverted" as const);
        return { ...now, state, error: "the switch was interrupted" };
      },
      { timeoutMs: 120_000, intervalMs: 100, signal },
    );

  return {
    "update.look": async () => lookAtBuilds(deps),
    "payload.ensure": ({ build, source, operation }, { signal, progress }) => {
      const mine = ensuring.then(async () => {
        if (await builds.has(build)) return { transferredBytes: 0 };
        const asked = { kind: "payload" as const, digest: build, machine: self };
        const offer = await deps.machines.call(source, "transfer.offer", asked, {
          timeoutMs: 10_000,
          signal,
        });
        if (offer === null)
          throw new PloyzError({
            code: "payload_missing",
            message: `${source} no longer runs the build ${build.slice(0, 12)}`,
            hint: "run the same command again",
          });
        const counted = counting((done) =>
          progress({ done, ...(offer.bytes !== undefined && { total: offer.bytes }) }),
        );
        const stream = await deps.fetch(source, offer.token, signal);
        stream.on("error", (error) => counted.destroy(error));
        await builds.put(build, operation, stream.pipe(counted));
        return { transferredBytes: counted.bytes };
      });
      ensuring = mine.catch(() => {});
      return mine;
    },
    "payload.remove": async ({ build, operation }) => {
      await builds.remove(build, operation);
      return null;
    },
    "update.switch": async ({ build, back, operation }, { signal }) => {
      const last = await readSwap(paths.swap);
      if (last?.state === "switching" && last.to === build && last.operation === operation) {
        if ((await services.status(SWAP_SERVICE)).state === "running") return null; // requested before
      }
      await settled(signal);
      if (payload.build === build) return null;
      const [busy] = back ? [] : deps.running();
      if (busy !== undefined)
        throw new PloyzError({
          code: "machine_busy",
          message: `${self} runs operation ${busy}, which a restart of its daemon would interrupt`,
          hint: `ployzctl ops watch ${busy}`,
        });
      if (!(await builds.has(build)))
        throw new PloyzError({
          code: "payload_missing",
          message: `the build ${build.slice(0, 12)} is not on ${self}`,
          hint: "run the same command again",
        });
      const before = { ...(await dataPlanePids(services)), ...instancePids(await deps.runtime.list()) };
      await writeSwap(paths.swap, { operation, from: payload.build, to: build, state: "switching", before });
      await services.ensure({
        name: SWAP_SERVICE,
        description: "Ployz: switches this machine to another build, or back",
        // From the folder of the working build, not through the link that is about to change.
        argv: [`${payload.dir}/lib/node`, `${payload.dir}/lib/ployzd.mjs`, "swap"],
        env: { PLOYZ_DATA_DIR: deps.config.dataDir, PLOYZ_SOCKET: deps.config.socket },
        restart: "never",
        killMainOnly: true,
      });
      return null;
    },
    "update.await": async ({ build }, { signal }) => {
      const swap = await settled(signal);
      if (payload.build !== build)
        throw new PloyzError({
          code: "update_reverted",
          message: `${self} runs ${payload.version} (${payload.build.slice(0, 12)})${swap?.to === build && swap.error !== undefined ? `: ${swap.error}` : ""}`,
          hint: `read the log of ployzd on ${self}: docs/operations.md, Logs`,
        });
      await services.remove(SWAP_SERVICE);
      // Keep the previous build, for a rollback.
      await builds.prune(swap?.to === build ? swap.from : build);
      return { version: payload.version, disturbed: swap?.to === build ? await disturbed(swap, deps) : [] };
    },
  };
}

export async function lookAtBuilds({
  payload,
  builds,
  running,
}: Pick<UpdateDeps, "payload" | "builds" | "running">) {
  const current = await builds.current();
  const releaseKey = await builds.releases.key();
  return {
    version: payload.version,
    build: payload.build,
    ...(current !== undefined && { current }),
    arch: process.arch,
    ...(releaseKey !== undefined && { releaseKey }),
    diskFreeBytes: await builds.diskFreeBytes(),
    running: running(),
  };
}

const instancePids = (list: readonly InstanceStatus[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    list.flatMap(({ id, state, pid }) => (state === "running" && pid !== undefined ? [[id, pid]] : [])),
  );

/** Instances and services from before whose process changed or ended. Those that an operation removed meanwhile do not count. */
async function disturbed({ before }: Swap, { runtime, services }: UpdateDeps) {
  const listed = new Set([...(await runtime.list()).map(({ id }) => id), ...(await services.list())]);
  const now = { ...(await dataPlanePids(services)), ...instancePids(await runtime.list()) };
  return Object.entries(before)
    .filter(([what, pid]) => listed.has(what) && now[what] !== pid)
    .map(([what, pid]) => ({
      what,
      why: now[what] === undefined ? "it no longer runs" : `process ${pid} is now ${now[what]}`,
    }));
}

function counting(tell: (bytes: number) => void): Transform & { bytes: number } {
  const counted = Object.assign(
    new Transform({
      transform(chunk: Buffer, _encoding, next) {
        const before = counted.bytes;
        counted.bytes += chunk.length;
        if (before >> 22 !== counted.bytes >> 22) tell(counted.bytes); // every 4 MiB
        next(null, chunk);
      },
    }),
    { bytes: 0 },
  );
  return counted;
}
