import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { errorBody } from "@ployz/errors";
import { type ImageStore, registryHandler } from "@ployz/images";
import type { Images } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import type { Brought } from "./brought.ts";

/** The engine's name for an image that no name of the operator means any more. */
const keptName = (digest: string): string =>
  `ployz/image:${digest.slice("sha256:".length, "sha256:".length + 12)}`;

/** A name of a pull from this machine's store, with its digest. */
const PULLED = /^127\.0\.0\.1:\d+\/ployz\/image@(sha256:[0-9a-f]{64})$/;
/** Those of this daemon that run. */
const pulling = new Set<string>();

/** Does for pulls whose daemon died in the middle what comes after a pull, so that the engine keeps nothing that no cleaning knows. */
export async function finishPulls(engine: Images, brought: Pick<Brought, "add">): Promise<void> {
  for (const { id, pulledAs } of await engine.list())
    for (const ref of pulledAs) {
      const [, digest] = PULLED.exec(ref) ?? [];
      if (digest === undefined || pulling.has(ref)) continue;
      await brought.add({ digest, id, name: keptName(digest) });
      await engine.tag(id, keptName(digest));
      await engine.untag(ref);
    }
}

/** The error of an engine that cannot use what the store has whole, as the image's fault where it is one. */
function unusable(error: unknown, layers: readonly { readonly mediaType: string }[]): unknown {
  const { code, message } = errorBody(error);
  if (code !== "image_pull_failed") return error;
  if (message.includes("max depth exceeded"))
    return new PloyzError(
      {
        code: "image_invalid",
        message: `the image has ${layers.length} layers, more than the machine's Docker engine can stack: ${message}`,
        hint: "build it with fewer layers, or run it on a machine of the process runtime",
      },
      { cause: error },
    );
  if (!layers.some(({ mediaType }) => mediaType.endsWith("zstd"))) return error;
  return new PloyzError(
    {
      code: "image_invalid",
      message: `the image has layers in zstd, which the machine's Docker engine does not read: ${message}`,
      hint: "build it with layers in gzip, or run it where the engine is 23 or newer, or on the process runtime",
    },
    { cause: error },
  );
}

/**
 * Lets the machine's engine pull an image by digest from this machine's store, so that it takes only the layers that it lacks. The store listens on
 * loopback for that long only. `name`: the operator's, which moves to it.
 */
export async function loadIntoEngine(
  engine: Images,
  store: ImageStore,
  { digest, name }: { readonly digest: string; readonly name: string | undefined },
  {
    signal,
    brought,
    tell,
    log,
  }: {
    readonly signal: AbortSignal;
    readonly brought: Pick<Brought, "add">;
    tell(): void;
    log(error: unknown): void;
  },
): Promise<void> {
  const server = createServer(registryHandler(store, log));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const ref = `127.0.0.1:${(server.address() as AddressInfo).port}/ployz/image@${digest}`;
  pulling.add(ref);
  try {
    const { id } = await engine.pull(ref, { signal, onProgress: tell }).catch(async (error: unknown) => {
      throw unusable(error, (await store.manifest(digest))?.layers ?? []);
    });
    // Noted before it is named, so that a crash leaves no image that no cleaning knows.
    await brought.add({ digest, id, name: name ?? keptName(digest) });
    await engine.tag(id, name ?? keptName(digest));
    await engine.untag(ref);
  } finally {
    pulling.delete(ref);
    server.closeAllConnections();
    server.close();
  }
}
