/** Something that a machine keeps to run workloads. */
export type StoredContent = {
  readonly kind: "image" | "bundle";
  /** Of an image: of its manifest, or the engine's id of one that came as an archive. */
  readonly digest: string;
  /** As Docker shows them. */
  readonly names: readonly string[];
  /** With what it shares with others. */
  readonly sizeBytes: number;
  /** When it got its newest name, or arrived. RFC 3339. */
  readonly at: string;
  /** What needs it, such as `prod/web` or `operation 01M8…`. While there is any, it is never removed. */
  readonly keptBy: readonly string[];
  /** Nothing needs it, and it is beyond the retention. */
  readonly expired: boolean;
};

/** What of an image's configuration matters to those who run it. */
export type ImageDetails = {
  readonly digest: string;
  readonly names: readonly string[];
  readonly platform: string;
  /** RFC 3339. */
  readonly created?: string;
  readonly layers: readonly { readonly digest: string; readonly sizeBytes: number }[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly env: readonly string[];
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
};

/** The part of the protocol that finds and moves images. A digest is that of a manifest; in older commits, of a configuration. */
export interface ImageCommands {
  /**
   * Which digest `ref` (a reference or a digest) means; pulls nothing. `never`: on this machine; `always`: in its registry; `missing`: there if not here.
   * `name`: whose registry may have the digest `ref`. `at`: since when the name means it. `arch`: the architecture of its programs, where that is known. `null`: no such image; fails with `registry_*` when that is
   * not known.
   */
  "image.resolve": {
    args: { ref: string; name?: string; pull: "missing" | "always" | "never" };
    out: { digest: string; sizeBytes: number; at?: string; arch?: string } | null;
  };
  /** The images in this machine's store. `name`: the full one, such as docker.io/library/web:v4. */
  "image.list": {
    args: null;
    out: { images: readonly { digest: string; name?: string; sizeBytes: number; at: string }[] };
  };
  /**
   * From other machines, blob by blob, else from its registry. `at`: names the image `ref`, unless that name is newer here. `together`: all that get it at
   * the same time, in an order that is the same for each: they follow each other's transfers. Progress: `{ done, total }` in bytes.
   */
  "image.ensure": {
    args: {
      ref: string;
      digest: string;
      sources: readonly string[];
      at?: string;
      together?: readonly string[];
    };
    out: { transferredBytes: number };
  };
  /** What `ref` (a name, a digest or its beginning) is in this machine's store; `null`: not there. */
  "image.inspect": { args: { ref: string }; out: ImageDetails | null };
  /**
   * What this machine keeps, what needs it, and what `image.prune` would remove. `all`: as if nothing were within the retention. `ref`: only
   * the images that it names; their `expired` does not count the retention.
   */
  "image.usage": {
    args: { all?: boolean; ref?: string };
    out: {
      content: readonly StoredContent[];
      /** Bytes on its disks: of blobs in the store, unpacked layers, bundles, and what Ployz gave the Docker engine. */
      storeBytes: number;
      layerBytes: number;
      bundleBytes: number;
      engineBytes: number;
      /** What goes with the expired content, about. */
      expiredBytes: number;
      /** Why not all users are known, so that nothing is expired. */
      waitsFor?: string;
    };
  };
  /** Removes images, layers and bundles that nothing needs and that are beyond the retention; `all`: whatever the retention. */
  "image.prune": {
    args: { all?: boolean };
    out: { removed: readonly string[]; freedBytes: number; waitsFor?: string };
  };
  /** Removes the name `ref` of an image, and the image with its last name; a digest means all names. `image_in_use` while something needs it. */
  "image.remove": { args: { ref: string; digest: string }; out: { removed: boolean; freedBytes: number } };
}
