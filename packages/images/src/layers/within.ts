import { lstat, readlink } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "../manifest.ts";

/** As the kernel's limit (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * The path on the machine of a path in an image's root. Links in it lead where they lead within the root, and never out of it; the last component is
 * not followed unless `follow` says so. `undefined`: a component is missing or no folder. Only for roots that nothing else writes to meanwhile.
 * @throws PloyzError `image_invalid` for links that lead in a circle
 */
export async function within(
  root: string,
  path: string,
  { follow }: { readonly follow: boolean },
): Promise<string | undefined> {
  const rest = path.split("/");
  let found: string[] = [];
  let links = 0;
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      found.pop();
      continue;
    }
    const here = join(root, ...found, part);
    const entry = await lstat(here).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
      throw error;
    });
    if (entry === undefined) return undefined;
    const last = rest.every((name) => name === "" || name === ".");
    if (entry.isSymbolicLink() && (!last || follow)) {
      if (++links > MAX_LINKS) throw invalid(`links at ${JSON.stringify(path)} lead in a circle`);
      const target = await readlink(here);
      if (target.startsWith("/")) found = [];
      rest.unshift(...target.split("/"));
      continue;
    }
    if (!last && !entry.isDirectory()) return undefined;
    found.push(part);
  }
  return join(root, ...found);
}
