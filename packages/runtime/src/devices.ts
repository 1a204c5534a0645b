import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { PloyzError } from "./error-codes.ts";
import type { ContainerSettings } from "./runtime.ts";

/** A node of /dev in an instance. */
export interface Device {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Devices by their path inside; of a folder all that are in it. @throws PloyzError `mount_source_missing` */
export async function readDevices(
  id: string,
  { devices = {} }: Pick<ContainerSettings, "devices">,
): Promise<readonly Device[]> {
  const found = await Promise.all(
    Object.entries(devices).map(async ([inside, path]) => {
      const list = await read(path, inside);
      if (list.length > 0) return list;
      throw new PloyzError({
        code: "mount_source_missing",
        message: `instance ${id}: there is no device ${path} on this machine`,
        hint: "name a device of the machine, or load its driver first",
        details: { path },
      });
    }),
  );
  return found.flat();
}

async function read(path: string, inside: string): Promise<readonly Device[]> {
  const real = await realpath(path).catch(() => undefined);
  const found = real === undefined ? undefined : await stat(real);
  if (real === undefined || found === undefined || !real.startsWith("/dev/")) return [];
  if (found.isDirectory()) {
    const names = (await readdir(real)).sort();
    return (await Promise.all(names.map((name) => read(join(real, name), join(inside, name))))).flat();
  }
  if (!found.isCharacterDevice() && !found.isBlockDevice()) return [];
  return [
    {
      path: inside,
      type: found.isBlockDevice() ? "b" : "c",
      ...numbersOf(found.rdev),
      fileMode: found.mode & 0o777,
      ...{ uid: found.uid, gid: found.gid },
    },
  ];
}

/** makedev(3), as glibc packs it. */
export function numbersOf(rdev: number): { readonly major: number; readonly minor: number } {
  const low = rdev % 2 ** 32;
  const high = Math.floor(rdev / 2 ** 32);
  return {
    major: ((low >>> 8) & 0xfff) | ((high & 0xfffff) << 12),
    minor: (low & 0xff) | ((low >>> 12) & 0xffffff00),
  };
}
