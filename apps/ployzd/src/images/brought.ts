import { readJson, serialise, writeJson } from "../state/files.ts";

/** An image that Ployz gave to the machine's Docker engine. Only such a one is ever removed from it. */
export interface BroughtImage {
  /** Of its manifest; of an archive, the engine's id. */
  readonly digest: string;
  readonly id: string;
  /** Those that Ployz gave it. */
  readonly names: readonly string[];
}

export interface Brought {
  list(): Promise<readonly BroughtImage[]>;
  /** Adds it, or a name to it. */
  add(image: Omit<BroughtImage, "names"> & { readonly name?: string | undefined }): Promise<void>;
  forget(image: Pick<BroughtImage, "digest" | "id">): Promise<void>;
}

export function openBrought(path: string): Brought {
  const inTurn = serialise();
  const read = async () => (await readJson<readonly BroughtImage[]>(path)) ?? [];
  return {
    list: () => inTurn(read),
    add: ({ digest, id, name }) =>
      inTurn(async () => {
        const all = await read();
        const before = all.find((one) => one.digest === digest && one.id === id);
        const names = [...new Set([...(before?.names ?? []), ...(name === undefined ? [] : [name])])];
        if (before !== undefined && names.length === before.names.length) return;
        await writeJson(path, [...all.filter((one) => one !== before), { digest, id, names }]);
      }),
    forget: ({ digest, id }) =>
      inTurn(async () => {
        const all = await read();
        const left = all.filter((one) => one.digest !== digest || one.id !== id);
        if (left.length < all.length) await writeJson(path, left);
      }),
  };
}
