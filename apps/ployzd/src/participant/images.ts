import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Machines } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import type { Bundles } from "../transfer/bundles.ts";
import { fetchOffer, type TransferServer } from "../transfer/server.ts";
import type { Handlers } from "./handlers.ts";
import type { Builds } from "./update/builds.ts";
import type { Sender } from "./volumes/send.ts";

export interface ContentDeps {
  readonly runtime: Runtime;
  readonly bundles: Bundles;
  readonly builds: Builds;
  readonly transfers: TransferServer;
  readonly volumes: Sender;
  readonly machines: Machines;
  readonly self: string;
  readonly transferPort: number;
  addressOf(machine: string): string | undefined;
}

type ContentCommands =
  | "image.resolve"
  | "image.ensure"
  | "bundle.resolve"
  | "bundle.ensure"
  | "transfer.offer";

export function contentHandlers(deps: ContentDeps): Pick<Handlers, ContentCommands> {
  const { runtime, bundles, transfers, self } = deps;
  const images = () => {
    if (runtime.images !== undefined) return runtime.images;
    throw new PloyzError({
      code: "runtime_has_no_images",
      message: `${self} runs host processes, not containers`,
      hint: "use a bundle, or constrain the service to machines with Docker",
    });
  };

  /** Fetches from the first source that has it. `undefined`: no source has it. */
  async function fetch<T>(
    kind: "image" | "bundle",
    digest: string,
    sources: readonly string[],
    signal: AbortSignal,
    take: (stream: NodeJS.ReadableStream) => Promise<T>,
  ): Promise<T | undefined> {
    const failures: unknown[] = [];
    for (const source of sources.filter((machine) => machine !== self)) {
      try {
        const address = deps.addressOf(source);
        const offer =
          address === undefined
            ? null
            : await deps.machines.call(
                source,
                "transfer.offer",
                { kind, digest, machine: self },
                { timeoutMs: 10_000, signal },
              );
        if (offer === null || address === undefined) continue;
        return await take(await fetchOffer(address, deps.transferPort, offer.token, signal));
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return undefined;
  }

  return {
    "image.resolve": async ({ ref, pull }, { signal }) => {
      if (runtime.images === undefined) return null;
      const present = pull === "always" ? undefined : await images().resolve(ref);
      const image =
        present ?? (pull === "never" ? undefined : await images().pull(ref, { signal }).catch(missing));
      return image === undefined ? null : { digest: image.id, sizeBytes: image.sizeBytes };
    },
    "image.ensure": async ({ ref, digest, sources }, { signal }) => {
      if (await images().has(digest)) return { transferredBytes: 0 };
      let bytes = 0;
      const imported = await fetch("image", digest, sources, signal, async (stream) => {
        // A listener on the source would start its flow before the import reads it, and lose its first bytes.
        const counted = new Transform({
          transform(chunk: Buffer, _encoding, next) {
            bytes += chunk.length;
            next(null, chunk);
          },
        });
        const [imported] = await Promise.all([
          images()
            .import(counted, { signal })
            .finally(() => counted.resume()), // what comes after the archive's end
          pipeline(stream, counted, { signal }),
        ]);
        return imported;
      });
      const id = imported?.id ?? (await images().pull(ref, { signal })).id;
      if (id !== digest && !(await images().has(digest))) {
        throw new PloyzError({
          code: "digest_mismatch",
          message: `${ref} is ${id} here, not ${digest}`,
          hint: "run the same command again: the tag has moved",
        });
      }
      return { transferredBytes: bytes };
    },
    "bundle.resolve": async ({ digest }) => ((await bundles.has(digest)) ? { sizeBytes: 0 } : null),
    "bundle.ensure": async ({ digest, sources }, { signal }) => {
      if (await bundles.has(digest)) return { transferredBytes: 0 };
      const put = await fetch("bundle", digest, sources, signal, (stream) =>
        bundles.put(digest, stream as import("node:stream").Readable),
      );
      if (put !== undefined) return { transferredBytes: put.bytes };
      throw new PloyzError({
        code: "bundle_missing",
        message: `no machine has the bundle ${digest.slice(0, 12)}`,
        hint: "run the same command again: it uploads the bundle",
      });
    },
    "transfer.offer": async (offer) => {
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
      if (offer.kind === "bundle") {
        if (!(await bundles.has(digest))) return null;
        return { token: transfers.offer(machine, async () => bundles.read(digest)) };
      }
      if ((await runtime.images?.has(digest)) !== true) return null;
      return { token: transfers.offer(machine, () => images().export(digest)) };
    },
  };
}

function missing(error: unknown): undefined {
  if (error instanceof PloyzError && (error.code === "image_missing" || error.code === "image_pull_failed"))
    return undefined;
  throw error;
}
