import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Layer, type LayerStore, lowestFirst, type Root } from "@ployz/images";
import type { Dataset, Zfs } from "@ployz/zfs";

export interface DatasetLayersOptions {
  /** The pool and the dataset below which all of Ployz's are. @throws PloyzError when it cannot be opened now */
  pool(): Promise<{ readonly zfs: Zfs; readonly root: string }>;
  /** Parent of the mountpoints. */
  readonly mounts: string;
}

/** The snapshot that makes a layer: without it the dataset is the half layer of a crash. */
const COMPLETE = "layer";

/**
 * Layers as datasets: `ROOT/layers/<chain id>` is a clone of the layer below it with the layer applied, and an instance's root `ROOT/roots/<id>` is a
 * clone of the highest. Common layers take their blocks once.
 */
export function openDatasetLayers({ pool, mounts }: DatasetLayersOptions): LayerStore {
  let opened: Promise<{ readonly zfs: Zfs; readonly layers: string; readonly roots: string }> | undefined;

  async function open() {
    const { zfs, root } = await pool();
    const places = { layers: `${root}/layers`, roots: `${root}/roots` };
    for (const dataset of Object.values(places))
      await zfs.ensureDataset(dataset, { properties: { mountpoint: "none", canmount: "off", atime: false } });
    // Only root may reach the programs of images outside of an instance.
    for (const place of ["layers", "roots"])
      await mkdir(join(mounts, place), { recursive: true, mode: 0o700 });
    return { zfs, ...places };
  }
  const ready = () => {
    opened ??= open();
    opened.catch(() => {
      opened = undefined;
    });
    return opened;
  };
  const hex = (chain: string) => chain.slice("sha256:".length);
  const place = (kind: "layers" | "roots", name: string) => join(mounts, kind, name);

  const store: LayerStore = {
    async has(chain) {
      const { zfs, layers } = await ready();
      return (
        (await zfs.findDataset(`${layers}/${hex(chain)}@${COMPLETE}`, { userProperties: [] })) !== undefined
      );
    },
    async add({ chain, parent }, fill) {
      const { zfs, layers } = await ready();
      if (await store.has(chain)) return;
      const dataset = `${layers}/${hex(chain)}`;
      const mountpoint = place("layers", hex(chain));
      const properties = { mountpoint, canmount: "noauto" } as const;
      await zfs.destroyDataset(dataset, { recursive: true });
      try {
        if (parent === undefined) await zfs.ensureDataset(dataset, { properties, userProperties: [] });
        else
          await zfs.ensureClone(`${layers}/${hex(parent)}@${COMPLETE}`, dataset, {
            properties,
            userProperties: [],
          });
        await zfs.mount(dataset);
        await fill(mountpoint);
        await zfs.unmount(dataset);
        await zfs.ensureSnapshot(`${dataset}@${COMPLETE}`, { userProperties: [] });
      } catch (error) {
        await zfs.destroyDataset(dataset, { recursive: true }).catch(() => {}); // the next `add` does it
        throw error;
      }
    },
    async layers() {
      const { zfs, layers } = await ready();
      const complete = new Set(
        (await zfs.listSnapshotsBelow(layers, { userProperties: [] })).flatMap(({ name }) => {
          const [dataset, snapshot] = name.split("@");
          return snapshot === COMPLETE && dataset !== undefined ? [dataset] : [];
        }),
      );
      const found = (await zfs.listDatasets(layers, { userProperties: [] })).flatMap((dataset): Layer[] => {
        const parent = originOf(dataset);
        return complete.has(dataset.name)
          ? [
              {
                ...{ chain: `sha256:${lastOf(dataset.name)}`, bytes: dataset.usedBytes },
                ...(parent !== undefined && { parent }),
              },
            ]
          : [];
      });
      return lowestFirst(found);
    },
    async remove(chain) {
      const { zfs, layers } = await ready();
      await zfs.destroyDataset(`${layers}/${hex(chain)}`, { recursive: true });
    },
    async root(id, chain) {
      const { zfs, layers, roots } = await ready();
      const mountpoint = place("roots", id);
      // `on`: mounted again with the pool, after a boot and after a new start of zfs-fuse.
      await zfs.ensureClone(`${layers}/${hex(chain)}@${COMPLETE}`, `${roots}/${id}`, {
        properties: { mountpoint, canmount: "on" },
        userProperties: [],
      });
      await zfs.mount(`${roots}/${id}`);
      return mountpoint;
    },
    async roots() {
      const { zfs, roots } = await ready();
      return (await zfs.listDatasets(roots, { userProperties: [] })).flatMap((dataset): Root[] => {
        const chain = originOf(dataset);
        return chain === undefined ? [] : [{ id: lastOf(dataset.name), chain }];
      });
    },
    async removeRoot(id) {
      const { zfs, roots } = await ready();
      await zfs.destroyDataset(`${roots}/${id}`, { recursive: true });
    },
    async tidy() {
      const { zfs, layers } = await ready();
      const complete = new Set((await store.layers()).map(({ chain }) => hex(chain)));
      for (const { name } of await zfs.listDatasets(layers, { userProperties: [] }))
        if (name !== layers && !complete.has(lastOf(name)))
          await zfs.destroyDataset(name, { recursive: true });
    },
  };
  return store;
}

const lastOf = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

/** The chain id of the layer that the dataset is a clone of. */
function originOf({ origin }: Dataset): string | undefined {
  const [dataset] = (origin ?? "").split("@");
  return dataset === undefined || dataset === "" ? undefined : `sha256:${lastOf(dataset)}`;
}
