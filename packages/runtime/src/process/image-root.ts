import { chmod, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { InstanceSpec } from "../runtime.ts";
import type { ImageFiles, ImageProgram } from "./images.ts";
import type { InstancePaths } from "./paths.ts";
import type { Programs } from "./programs.ts";
import { bind, networkFiles, type Root } from "./rootfs.ts";
import { imageUser, type User, withGroups } from "./users.ts";

/** The first process of an instance from an image: the machine's, since images have none. /dev is the instance's own. */
export const IMAGE_INIT = "/dev/tini";

/** The copy of the image's files, and over it what depends on the instance. */
export function imageRoot(
  path: string,
  spec: InstanceSpec,
  { paths, programs }: { readonly paths: InstancePaths; readonly programs: Pick<Programs, "tiniStatic"> },
): Root {
  const files = networkFiles(spec);
  return {
    kind: "image",
    path,
    entries: files.map(({ name, text }) => ({ path: `/${name}`, kind: "file", text })),
    mounts: [
      ...files.map(({ name }) => bind(join(paths.rootfs, name), `/etc/${name}`, "ro")),
      bind(programs.tiniStatic, IMAGE_INIT, "ro"),
    ],
  };
}

/** Folders that the image promises and may not have; nothing runs in it yet. */
export async function completeRoot(
  images: Pick<ImageFiles, "within">,
  root: string,
  { volumes }: Pick<ImageProgram, "volumes">,
): Promise<void> {
  for (const path of volumes) await makeFolder(images, root, path, 0o755);
  await makeFolder(images, root, "/tmp", 0o1777);
}

/** By the passwd(5) and group(5) of the copy. @throws PloyzError `user_unknown`, `group_unknown` */
export async function userOf(
  images: Pick<ImageFiles, "within">,
  root: string,
  spec: Pick<InstanceSpec, "user" | "container">,
): Promise<User> {
  const read = async (path: string) => {
    const file = await images.within(root, path);
    return file === undefined ? "" : readFile(file, "utf8");
  };
  const group = await read("/etc/group");
  const user = imageUser(spec.user ?? "0", await read("/etc/passwd"), group);
  return withGroups(user, spec.container?.groupAdd, { group, of: "image" });
}

async function makeFolder(
  images: Pick<ImageFiles, "within">,
  root: string,
  path: string,
  mode: number,
): Promise<void> {
  let parent = root;
  let so = "";
  for (const part of path.split("/").filter((name) => name !== "" && name !== ".")) {
    so += `/${part}`;
    const there = await images.within(root, so);
    if (there === undefined) {
      await mkdir(join(parent, part));
      await chmod(join(parent, part), mode);
    }
    parent = there ?? join(parent, part);
  }
}
