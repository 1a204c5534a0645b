import { stat } from "node:fs/promises";
import { PloyzError } from "../error-codes.ts";
import type { InstanceSpec } from "../runtime.ts";

/** Refuses impossible mounts before anything is created. @throws PloyzError `mount_source_missing` */
export async function checkMounts(spec: InstanceSpec): Promise<void> {
  const sources = spec.mounts.map(({ source }) => source);
  for (const source of spec.bundle === undefined ? sources : [spec.bundle, ...sources]) {
    const found = await stat(source).catch(() => undefined);
    if (found?.isDirectory() || found?.isFile()) continue;
    throw new PloyzError({
      code: "mount_source_missing",
      message: `instance ${spec.id}: ${source} is not on this machine`,
      hint: "create it before the instance",
      details: { path: source },
    });
  }
}
