/** An unpacked layer of a machine, with everything below it. */
export interface Layer {
  /** Its chain id. */
  readonly chain: string;
  /** The chain id of the layer below it; absent: it is the lowest. */
  readonly parent?: string;
  /** What it takes beyond the layers below it; absent: not measured. */
  readonly bytes?: number;
}

/** An instance's own, writable copy of an image's files. */
export interface Root {
  readonly id: string;
  /** The layer that it is a copy of. */
  readonly chain: string;
}

/** Where a machine keeps unpacked layers, and copies of them for its instances. One process at a time changes it. */
export interface LayerStore {
  /** Whether the layer is there whole. */
  has(chain: string): Promise<boolean>;
  /**
   * Adds the layer that `fill` makes of a writable copy of `parent`, or of an empty folder. It is there whole or not at all: the next `add` of
   * the layer, or `tidy`, deletes the rest of a crash.
   */
  add(
    layer: { readonly chain: string; readonly parent?: string | undefined },
    fill: (folder: string) => Promise<void>,
  ): Promise<void>;
  /** Those with nothing below first. */
  layers(): Promise<readonly Layer[]>;
  /** @throws PloyzError `has_dependents`: a layer or a root needs it. */
  remove(chain: string): Promise<void>;
  /** A copy of the layer in constant time, at the path that is returned; the one that is there, if the id has one. */
  root(id: string, chain: string): Promise<string>;
  /** Every root, and the layer that it is a copy of. */
  roots(): Promise<readonly Root[]>;
  /** Idempotent. */
  removeRoot(id: string): Promise<void>;
  /** Deletes what a crash has left of an unfinished layer. */
  tidy(): Promise<void>;
}
