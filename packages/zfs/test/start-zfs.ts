import { openServiceHost, stopS6 } from "@ployz/exec";
import { ensureZfsFuse, openZfs, type Zfs } from "../src/index.ts";

/** zfs-fuse in the namespaces of test/lab.sh, and pools on files of tmpfs; `stop` removes them. */
export async function startZfs(
  pools: Readonly<Record<string, number>>,
): Promise<{ zfs: Zfs; stop(): Promise<void> }> {
  if (process.env.PLOYZ_ZFS_LAB !== "1") throw new Error("run through test/lab.sh: pnpm test:lab");
  const dir = "/run/services";
  await ensureZfsFuse({ services: await openServiceHost({ kind: "s6", dir, logDir: "/run/log" }) });
  const zfs = await openZfs();
  for (const [name, sizeBytes] of Object.entries(pools)) {
    await zfs.createFilePool({ name, file: `/mnt/${name}.img`, sizeBytes });
  }
  return {
    zfs,
    async stop() {
      for (const name of Object.keys(pools)) {
        await zfs.destroyPool(name, { guid: (await zfs.poolStatus(name)).guid });
      }
      await stopS6(dir);
    },
  };
}
