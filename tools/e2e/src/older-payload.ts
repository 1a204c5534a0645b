import { cp, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import { root } from "./cluster.ts";

/** A payload of an older state of this repository, in a folder that goes with it. */
export interface OlderPayload extends AsyncDisposable {
  readonly tarball: string;
}

/**
 * Builds the payload of the commit before the one that added this file, with today's packages.
 * @throws Error when the checkout has no history that goes back so far
 */
export async function payloadBefore(file: string): Promise<OlderPayload> {
  const git = async (...args: string[]) => (await run("git", ["-C", root, ...args])).stdout.trim();
  const added = await git("log", "--diff-filter=A", "--format=%H", "--", file);
  const commit = await git("rev-parse", "--verify", "--quiet", `${added}^`).catch(() => "");
  if (added === "" || commit === "")
    throw new Error(`this checkout has no commit before ${file}: it needs the whole history`);
  const dir = await mkdtemp(join(tmpdir(), "ployz-older-"));
  try {
    const script = `git -C "$0" archive ${commit} | tar -x -C "$1"`;
    await run("bash", ["-o", "pipefail", "-ec", script, root, dir]);
    for (const shared of ["node_modules", ".cache"]) await symlink(join(root, shared), join(dir, shared));
    for (const at of await packages()) {
      await mkdir(join(dir, at), { recursive: true });
      // Its links are relative: those between packages lead to the older ones.
      await cp(join(root, at), join(dir, at), { recursive: true, verbatimSymlinks: true });
    }
    const built = await run(join(dir, "tools/release/build-payload"), [], { timeoutMs: 300_000 });
    return {
      tarball: built.stdout.trim().split("\n").at(-1) ?? "",
      [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
    };
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

/** Folders with the links to what each package needs. */
async function packages(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const group of ["apps", "packages", "tools"])
    for (const name of await readdir(join(root, group))) {
      const inside = await readdir(join(root, group, name)).catch((): string[] => []);
      if (inside.includes("node_modules")) found.push(join(group, name, "node_modules"));
    }
  return found;
}
