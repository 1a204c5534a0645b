import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { cacheRoot, rootRecipeDir } from "./names.ts";
import type { LabKind } from "./spec.ts";

export interface RootKind {
  readonly kind: LabKind;
  readonly docker: boolean;
  readonly bare: boolean;
  /** PostgreSQL and Redis, for tests with real data. */
  readonly databases: boolean;
}

/** Layers of a machine's root, top first. The recipes are in root/build.sh. */
function layersOf({ kind, docker, bare, databases }: RootKind): readonly string[] {
  if (kind === "vm") return ["vm", "base"];
  if (bare) return docker ? ["bare-docker", "base"] : ["base"];
  if (databases) return ["databases", "full", "base"];
  return docker ? ["docker", "full", "base"] : ["full", "base"];
}

/** Changes with the recipe and the package lists, so that a changed recipe never uses an old root. */
async function recipeKey(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await readdir(rootRecipeDir)).sort()) {
    hash.update(`${file}\n`).update(await readFile(join(rootRecipeDir, file)));
  }
  return hash.digest("hex").slice(0, 12);
}

/** Builds missing layers (about a minute the first time) and returns the layers' folders, top first. */
export async function ensureRoot(
  kind: RootKind,
  onBuild: (layers: readonly string[]) => void = () => {},
): Promise<readonly string[]> {
  const cache = join(cacheRoot, await recipeKey());
  const layers = layersOf(kind);
  const have = await Promise.all(layers.map((layer) => isDirectory(join(cache, layer))));
  if (have.includes(false)) {
    onBuild(layers.filter((_, i) => have[i] === false));
    await run(join(rootRecipeDir, "build.sh"), [cache, ...[...layers].reverse()], { timeoutMs: 40 * 60_000 });
  }
  return layers.map((layer) => join(cache, layer));
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
