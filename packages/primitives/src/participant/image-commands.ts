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
  /** From other machines, blob by blob, else from its registry. `at`: names the image `ref`, unless that name is newer here. Progress: `{ done, total }` in bytes. */
  "image.ensure": {
    args: { ref: string; digest: string; sources: readonly string[]; at?: string };
    out: { transferredBytes: number };
  };
}
