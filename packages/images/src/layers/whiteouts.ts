import { lstat, readdir, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { invalid } from "../manifest.ts";
import { within } from "./within.ts";

/** What a layer takes away from those below it: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts */
export type Whiteout =
  | { readonly kind: "file"; readonly folder: string; readonly name: string }
  | { readonly kind: "opaque"; readonly folder: string };

const PREFIX = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** Other names that AUFS kept for itself. */
const RESERVED = ".wh..wh.";

/** The whiteout that an entry is. @throws PloyzError `image_invalid` for a name that leads upwards */
export function whiteoutOf(entry: string): Whiteout | undefined {
  const parts = entry.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw invalid(`its layer has the path ${JSON.stringify(entry.slice(0, 200))}`);
  const name = parts.at(-1) ?? "";
  const folder = parts.slice(0, -1).join("/");
  if (name === OPAQUE) return { kind: "opaque", folder };
  if (!name.startsWith(PREFIX) || name.startsWith(RESERVED)) return undefined;
  const hidden = name.slice(PREFIX.length);
  if (hidden === "" || hidden === "." || hidden === "..")
    throw invalid(`its layer has the whiteout ${JSON.stringify(entry.slice(0, 200))}`);
  return { kind: "file", folder, name: hidden };
}

/** They count for the layers below only: apply them before the layer's own files. */
export async function applyWhiteouts(root: string, whiteouts: readonly Whiteout[]): Promise<void> {
  for (const whiteout of whiteouts) {
    const folder = await within(root, whiteout.folder, { follow: true });
    if (folder === undefined) continue;
    const gone =
      whiteout.kind === "file"
        ? [whiteout.name]
        : await readdir(folder).catch((error: NodeJS.ErrnoException) => {
            if (error.code === "ENOTDIR") return [];
            throw error;
          });
    for (const name of gone) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/**
 * Removes the folders of lower layers in whose place the layer has something else. tar's own `--recursive-unlink` would also empty the folders that a
 * layer only names again.
 */
export async function makeWay(root: string, files: readonly string[]): Promise<void> {
  if ((await readdir(root)).length === 0) return;
  const parents = new Map<string, string | undefined>();
  for (const file of files) {
    const folder = posix.dirname(file);
    if (!parents.has(folder)) parents.set(folder, await within(root, folder, { follow: true }));
    const parent = parents.get(folder);
    if (parent === undefined) continue;
    const path = join(parent, posix.basename(file));
    if (await isFolder(path)) await rm(path, { recursive: true });
  }
}

const isFolder = (path: string): Promise<boolean> =>
  lstat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );

/** A name as GNU tar prints it with `--quoting-style=escape` in the C locale: other bytes than printable ASCII are octal. */
export function unescaped(printed: string): string {
  const bytes = printed.replaceAll(/\\([0-7]{3}|.)/g, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (NAMED[code] ?? code),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

const NAMED: Readonly<Record<string, string>> = {
  ...{ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" },
};
