import { fullName, isDigest, parseReference, shortName } from "@ployz/images";
import type { Commands, Store, StoredContent } from "@ployz/primitives/protocol";
import type { Runtime } from "@ployz/runtime";
import type { Retention } from "../../config/load.ts";
import { PloyzError } from "../../error-codes.ts";
import { serialise } from "../../state/files.ts";
import { finishPulls } from "../engine.ts";
import type { Wanted, Watch } from "../wanted.ts";
import { type Held, isNamedBy, judge } from "./content.ts";
import { type HeldDeps, heldContent, onlyGiven } from "./held.ts";
import type { Layers } from "./layers.ts";
import { readReferences } from "./references.ts";

export interface CleaningDeps extends HeldDeps {
  readonly records: Store;
  readonly runtime: Pick<Runtime, "list">;
  readonly wanted: Wanted;
  readonly retention: Retention;
  readonly layers?: Layers;
  now(): number;
  log(error: unknown): void;
}

type CleaningCommands = "image.usage" | "image.prune" | "image.remove";
/** How the machine answers each of the commands. */
export type Cleaning = {
  readonly [N in CleaningCommands]: (args: Commands[N]["args"]) => Promise<Commands[N]["out"]>;
};

/** What an interrupted transfer has left is continued for so long. */
const PART_MS = 86_400_000;

/**
 * Shows and removes what this machine keeps and nothing needs. Removing decides again for each, after a look at the store that is newer than every plan that could
 * count on it: see `readReferences` and `Wanted`.
 */
export function openCleaning(deps: CleaningDeps): Cleaning {
  const { store, engine, brought, bundles, records, wanted, retention } = deps;
  const inTurn = serialise();

  async function look({ all }: { readonly all?: boolean | undefined }) {
    const held = await heldContent(deps);
    const { users, waitsFor } = await readReferences(records, { retention, now: deps.now() });
    const running = new Map(users);
    for (const { id, image, labels } of await deps.runtime.list()) {
      const bundle =
        labels.bundle === undefined ? undefined : `sha256:${labels.bundle.replace(/^sha256:/, "")}`;
      for (const digest of new Set([image, labels.image, bundle]))
        if (digest !== undefined) running.set(digest, [...(running.get(digest) ?? []), `instance ${id}`]);
    }
    const waits = waitsFor !== undefined;
    const content = judge(held, { users: running, retention, now: deps.now(), all, waits });
    return { held, content, ...(waitsFor !== undefined && { waitsFor }) };
  }

  const partsBefore = (all?: boolean) => deps.now() - (all === true ? 0 : PART_MS);

  async function removeImage(digest: string): Promise<void> {
    for (const image of await brought.list())
      if (image.digest === digest && (await outOfEngine(image))) await brought.forget(image);
    await store.unname(digest);
  }

  /** False: a container needs it there, or a name that Ployz has not given. */
  async function outOfEngine({ id, names }: { readonly id: string; readonly names: readonly string[] }) {
    if (engine === undefined) return true;
    for (const name of names) if ((await engine.resolve(name))?.id === id) await engine.untag(name);
    return (await engine.resolve(id)) === undefined || (await engine.remove(id));
  }

  /** Removes it unless an operation has asked for it since `watch` began. */
  async function remove({ kind, digest, aliases }: Held, watch: Watch): Promise<boolean> {
    const task = kind === "bundle" ? () => bundles.remove(digest) : () => removeImage(digest);
    return watch.unlessWanted(aliases, task);
  }

  /** Blobs and layers that no image needs any more. */
  async function collect(all?: boolean): Promise<number> {
    const { freedBytes } = await store.collect(partsBefore(all));
    const images = (await store.entries()).map(({ digest }) => digest);
    return freedBytes + ((await deps.layers?.removeUnreferenced(images)) ?? 0);
  }

  const shown = ({ kind, names, digest }: StoredContent) =>
    names[0] ?? `${kind} ${digest.slice(0, "sha256:".length + 12)}`;

  return {
    async "image.usage"({ all, ref }) {
      const full = ref === undefined || isDigest(ref) ? undefined : nameOf(ref);
      const { held, content, waitsFor } = await look({ all: all === true || ref !== undefined });
      const asked = content.filter(
        ({ kind }, index) =>
          ref === undefined || (kind === "image" && isNamedBy(ref, full, held[index] as Held)),
      );
      const expired = asked.filter((one) => one.expired);
      const going = new Set(expired.map(({ digest }) => digest));
      const parts = await store.unneeded(partsBefore(all), going);
      const staying = (await store.entries())
        .map(({ digest }) => digest)
        .filter((digest) => !going.has(digest));
      const inEngine = await onlyGiven(engine, await brought.list());
      const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
      const bundleBytes = sum(content.flatMap(({ kind, sizeBytes }) => (kind === "bundle" ? sizeBytes : [])));
      const expiredBundles = sum(
        expired.flatMap(({ kind, sizeBytes }) => (kind === "bundle" ? sizeBytes : [])),
      );
      return {
        content: asked,
        storeBytes: sum((await store.blobs.list()).map(({ size }) => size)),
        layerBytes: (await deps.layers?.usedBytes()) ?? 0,
        bundleBytes,
        engineBytes: sum(inEngine.map(({ sizeBytes }) => sizeBytes)),
        expiredBytes:
          sum(parts.map(({ size }) => size)) +
          expiredBundles +
          ((await deps.layers?.unreferencedBytes(staying)) ?? 0) +
          sum(inEngine.flatMap(({ digest, sizeBytes }) => (going.has(digest) ? sizeBytes : []))),
        ...(waitsFor !== undefined && { waitsFor }),
      };
    },
    "image.prune": ({ all }) =>
      inTurn(async () => {
        const watch = wanted.watch();
        try {
          if (engine !== undefined) await finishPulls(engine, brought);
          const { held, content, waitsFor } = await look({ all });
          if (waitsFor !== undefined) return { removed: [], freedBytes: 0, waitsFor };
          const removed: StoredContent[] = [];
          for (const one of await brought.list())
            if (engine !== undefined && (await engine.resolve(one.id)) === undefined)
              await brought.forget(one);
          for (const [index, one] of content.entries())
            if (one.expired && (await remove(held[index] as Held, watch))) removed.push(one);
          const bundleBytes = removed.reduce(
            (sum, { kind, sizeBytes }) => sum + (kind === "bundle" ? sizeBytes : 0),
            0,
          );
          return { removed: removed.map(shown), freedBytes: bundleBytes + (await collect(all)) };
        } finally {
          watch.end();
        }
      }),
    "image.remove": ({ ref, digest }) =>
      inTurn(async () => {
        const watch = wanted.watch();
        try {
          const { held, content, waitsFor } = await look({ all: true });
          const index = held.findIndex((one) => one.kind === "image" && one.digest === digest);
          const [image, judged] = [held[index], content[index]];
          if (image === undefined || judged === undefined) return { removed: false, freedBytes: 0 };
          const name = ref.startsWith("sha256:") ? undefined : nameOf(ref);
          if (name !== undefined && !image.names.includes(name)) return { removed: false, freedBytes: 0 };
          if (name !== undefined && image.names.length > 1) {
            await store.unname(digest, name);
            return { removed: true, freedBytes: 0 };
          }
          if (waitsFor !== undefined)
            throw new PloyzError({
              code: "scope_busy",
              message: `${ref}: it is not known whether something needs it: ${waitsFor}`,
              hint: "run the same command again: ployzctl ops ls shows what runs",
            });
          if (judged.keptBy.length > 0 || !(await remove(image, watch)))
            throw new PloyzError({
              code: "image_in_use",
              message: `${name === undefined ? digest : shortName(name)}: ${judged.keptBy.slice(0, 5).join(", ") || "an operation that has just begun"} needs it`,
              hint: "deploy another image first; commits within the retention keep theirs for a rollback",
            });
          return { removed: true, freedBytes: await collect() };
        } finally {
          watch.end();
        }
      }),
  };
}

/** `undefined`: it is no name. */
function nameOf(ref: string): string | undefined {
  try {
    return fullName(parseReference(ref));
  } catch {
    return undefined;
  }
}
