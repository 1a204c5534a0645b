import { errorBody } from "@ployz/errors";
import {
  type BlobSource,
  completeImage,
  fullName,
  type ImageStore,
  isDigest,
  type Platform,
  parseReference,
  type Reference,
  type Registry,
  readManifest,
  shortName,
  takeManifest,
  type UnpackedImages,
} from "@ployz/images";
import type { Commands, Json } from "@ployz/primitives/protocol";
import type { Images } from "@ployz/runtime";
import { PloyzError } from "../error-codes.ts";
import type { Brought } from "./brought.ts";
import { inChain } from "./chain.ts";
import { finishPulls, loadIntoEngine } from "./engine.ts";
import { noting, reasonOf } from "./failures.ts";
import type { Peers } from "./peers.ts";
import { orMissing } from "./resolve.ts";
import type { Wanted } from "./wanted.ts";

export interface EnsureDeps {
  readonly store: ImageStore;
  /** Absent with Docker. */
  readonly unpacked: UnpackedImages | undefined;
  /** Absent on a machine that runs host processes. */
  readonly engine: Images | undefined;
  readonly platform: Platform;
  readonly peers: Peers;
  readonly brought: Brought;
  readonly wanted: Wanted;
  readonly self: string;
  registry(): Promise<Registry>;
  log(error: unknown): void;
}

type Asked = Commands["image.ensure"]["args"];
interface Run {
  readonly signal: AbortSignal;
  progress(value: Json): void;
}

/**
 * Makes sure that this machine can start the image: its blobs in the store, then the image in the engine, or its layers unpacked. Sources, in turn: this machine, other
 * machines, the registry. An image that only another machine's engine has comes as an archive.
 */
export async function ensureImage(
  deps: EnsureDeps,
  asked: Asked,
  run: Run,
): Promise<{ readonly transferredBytes: number }> {
  await deps.wanted.want(asked.digest);
  const { peers, failures } = noting(deps.peers);
  try {
    return await deps.store.use(() => ensure({ ...deps, peers }, asked, run));
  } catch (error) {
    throw reasonOf(error, failures);
  }
}

async function ensure(
  deps: EnsureDeps,
  wanted: Asked,
  { signal, progress }: Run,
): Promise<{ readonly transferredBytes: number }> {
  const { store, engine, platform, peers, brought } = deps;
  const { digest, sources, at } = wanted;
  const name = isDigest(wanted.ref) ? undefined : parseReference(wanted.ref);
  const tell = throttled(progress);
  tell({ done: 0 });
  const entry = await store.find(digest);
  if (entry === undefined && (await engine?.has(digest)) === true) return { transferredBytes: 0 };
  let manifest = entry?.digest ?? (await fromPeers(deps, wanted, signal));
  if (manifest === undefined && engine !== undefined) {
    const bytes = await peers.archive({ ref: wanted.ref, digest, sources }, engine, signal);
    if (bytes !== undefined) {
      const id = (await engine.resolve(digest))?.id;
      if (id !== undefined) await brought.add({ digest, id });
      return { transferredBytes: bytes };
    }
  }
  const registry = await deps.registry();
  manifest ??= await fromRegistry(store, registry, { name, digest }, signal);
  const outside = (from: Reference): BlobSource => ({
    name: from.registry,
    open: (blob, offset, either) => orMissing(registry.blob(from, blob.digest, offset, either)),
  });
  const last = name === undefined ? [] : [outside(name)];
  const sourcesOf = (part: number): readonly BlobSource[] => {
    const { follows, others } = inChain(wanted, deps.self, part);
    return [...follows.map(peers.growing), ...others.map(peers.source), ...last];
  };
  const transferredBytes = await completeImage(store, manifest, sourcesOf, {
    ...{ platform, signal },
    onProgress: (done, total) => tell({ done, total }),
  });
  const full = name?.tag === undefined ? undefined : fullName(name);
  const taken = await store.name(manifest, full, at);
  await deps.unpacked?.unpack(manifest, {
    signal,
    onProgress: (done, total) => tell({ done, total }),
  });
  if (engine === undefined) return { transferredBytes };
  const tag = taken && full !== undefined ? shortName(full) : undefined;
  const present = await engine.resolve(manifest);
  if (present !== undefined) await finishPulls(engine, brought);
  if (present === undefined)
    await loadIntoEngine(
      engine,
      store,
      { digest: manifest, name: tag },
      { signal, tell, brought, log: deps.log },
    );
  else if (tag !== undefined && (await engine.resolve(tag))?.id !== present.id) {
    if ((await brought.list()).some(({ id }) => id === present.id))
      await brought.add({ digest: manifest, id: present.id, name: tag });
    await engine.tag(present.id, tag);
  }
  return { transferredBytes };
}

/** The manifest's digest, once the store has it. */
async function fromPeers(
  { store, peers }: EnsureDeps,
  { digest, sources }: Asked,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const machine of sources) {
    try {
      if (await takeManifest(store, digest, () => peers.manifest(machine, digest, signal), signal))
        return digest;
    } catch (error) {
      signal.throwIfAborted();
      if (errorBody(error).code === "no_space") throw error;
    }
  }
  return undefined;
}

async function fromRegistry(
  store: ImageStore,
  registry: Registry,
  { name, digest }: { readonly name: Reference | undefined; readonly digest: string },
  signal: AbortSignal,
): Promise<string> {
  if (name === undefined)
    throw new PloyzError({
      code: "image_missing",
      message: `no machine has ${digest} any more`,
      hint: "bring back a machine that has it (ployzctl machine ls), or name the image with its registry",
    });
  const byDigest = await orMissing(registry.manifest({ ...name, digest }, signal));
  if (byDigest !== undefined && (await takeManifest(store, digest, async () => byDigest.bytes, signal)))
    return digest;
  // A commit of a version before 0.5 holds the digest of the configuration: the tag's image may still be that one.
  const { digest: _none, tag = "latest", ...rest } = name;
  const byTag = await registry.manifest({ ...rest, tag }, signal);
  const read = readManifest(byTag.bytes);
  if (read?.kind === "manifest" && read.config.digest === digest) {
    await takeManifest(store, byTag.digest, async () => byTag.bytes, signal);
    return byTag.digest;
  }
  throw new PloyzError({
    code: "image_missing",
    message: `no machine and no registry has ${digest} of ${shortName(fullName(name))}; the tag means ${byTag.digest} now`,
    hint: "run the same command again, or bring back a machine that has it (ployzctl machine ls)",
  });
}

const TELL_MS = 250;

/** At most four a second, and the last one. */
function throttled(progress: (value: Json) => void) {
  let last = 0;
  let state: { readonly done: number; readonly total?: number } = { done: 0 };
  return (next = state): void => {
    state = next;
    const now = Date.now();
    if (now - last < TELL_MS && state.done !== state.total) return;
    last = now;
    progress({ ...state });
  };
}
