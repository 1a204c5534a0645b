import type { ImageCommands } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import { type ImageDeps, imageHandlers } from "../images/open.ts";
import type { Bundles } from "../transfer/bundles.ts";
import type { TransferServer } from "../transfer/server.ts";
import type { Handlers } from "./handlers.ts";
import type { Builds } from "./update/builds.ts";
import type { Sender } from "./volumes/send.ts";

export interface ContentDeps extends ImageDeps {
  readonly runtime: Runtime;
  readonly bundles: Bundles;
  readonly builds: Builds;
  readonly transfers: TransferServer;
  readonly volumes: Sender;
}

type ContentCommands = keyof ImageCommands | "bundle.resolve" | "bundle.ensure" | "transfer.offer";

export function contentHandlers(deps: ContentDeps): Pick<Handlers, ContentCommands> {
  const { runtime, bundles, transfers, self, store } = deps;

  /** Fetches a bundle from the first source that has it. `undefined`: no source has it. */
  async function fetchBundle(digest: string, sources: readonly string[], signal: AbortSignal) {
    const failures: unknown[] = [];
    for (const source of sources.filter((machine) => machine !== self)) {
      try {
        const asked = { kind: "bundle", digest, machine: self } as const;
        const offer = await deps.machines.call(source, "transfer.offer", asked, {
          timeoutMs: 10_000,
          signal,
        });
        if (offer !== null) return await bundles.put(digest, await deps.fetch(source, offer.token, signal));
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return undefined;
  }

  return {
    ...imageHandlers(deps),
    "bundle.resolve": async ({ digest }) => {
      await deps.wanted.want(bundleKey(digest));
      return (await bundles.has(digest)) ? { sizeBytes: 0 } : null;
    },
    "bundle.ensure": async ({ digest, sources }, { signal }) => {
      await deps.wanted.want(bundleKey(digest));
      if (await bundles.has(digest)) return { transferredBytes: 0 };
      const put = await fetchBundle(digest, sources, signal);
      if (put !== undefined) return { transferredBytes: put.bytes };
      throw new PloyzError({
        code: "bundle_missing",
        message: `no machine has the bundle ${digest.slice(0, 12)}`,
        hint: "run the same command again: it uploads the bundle",
      });
    },
    "transfer.offer": async (offer, { signal }) => {
      const { machine } = offer;
      if (offer.kind === "volume") {
        const prepared = await deps.volumes.prepare(offer);
        if (prepared === null) return null;
        const { open, ...said } = prepared;
        return { token: transfers.offer(machine, open), ...said };
      }
      if (offer.kind === "payload") {
        const bytes = await deps.builds.offered(offer.digest);
        if (bytes === undefined) return null;
        return { token: transfers.offer(machine, async () => deps.builds.read()), bytes };
      }
      const { digest } = offer;
      if (offer.kind === "blob") {
        const { blobs } = store;
        const { offset, growing } = offer;
        const whole = await blobs.sizeOf(digest);
        const size = whole ?? (growing && (await blobs.growing.coming(digest, BEGIN_MS, signal)));
        if (size === undefined || !Number.isInteger(offset) || offset < 0 || offset > size) return null;
        const open = async () =>
          (await blobs.sizeOf(digest)) === undefined
            ? blobs.growing.read(digest, offset, size)
            : blobs.read(digest, offset);
        return { token: transfers.offer(machine, open), bytes: size };
      }
      if (offer.kind === "bundle") {
        if (!(await bundles.has(digest))) return null;
        return { token: transfers.offer(machine, async () => bundles.read(digest)) };
      }
      const engine = runtime.images;
      if (engine === undefined || !(await engine.has(digest))) return null;
      return { token: transfers.offer(machine, () => engine.export(digest)) };
    },
  };
}

/** The same operation lets this machine begin with the image at about the same time. */
const BEGIN_MS = 3000;

/** One spelling, with or without the algorithm. */
const bundleKey = (digest: string): string => `sha256:${digest.replace(/^sha256:/, "")}`;
