import { openServiceHost } from "@ployz/exec";
import { ensureZfsFuse, openZfs } from "@ployz/zfs";

export async function firstVolume(dir: string, serviceDir: string) {
  // No effect where the kernel has ZFS; otherwise starts zfs-fuse, which outlives this process.
  await ensureZfsFuse({ services: await openServiceHost({ dir: serviceDir, logDir: `${dir}/log` }) });
  const zfs = await openZfs();

  await zfs.createFilePool({ name: "demo", file: `${dir}/demo.img`, sizeBytes: 256 * 1024 * 1024 });
  await zfs.ensureDataset("demo/ployz", { properties: { mountpoint: "none", atime: false } });
  const { outcome, dataset } = await zfs.ensureDataset("demo/ployz/pgdata", {
    claim: { "ployz:volume": "prod/pgdata" }, // another volume's dataset of that name is refused, not taken over
    properties: { mountpoint: `${dir}/pgdata`, quotaBytes: 64 * 1024 * 1024 },
  });
  return { outcome, mounted: dataset.mounted, guid: dataset.guid };
}
