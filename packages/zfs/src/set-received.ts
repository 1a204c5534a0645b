import type { CallOptions } from "./call.ts";
import { glance, setProperties } from "./datasets.ts";
import type { SettableProperties } from "./properties.ts";

/**
 * Sets properties as `receive -o` would, without mounting. `zfs set mountpoint` mounts what had none, except with canmount=noauto; that
 * is lifted last, also by a retry of a call that ended in between.
 */
export async function setReceived(
  dataset: string,
  properties: SettableProperties,
  options: CallOptions,
): Promise<void> {
  if (properties.mountpoint === undefined || (await glance(dataset, ["mounted"], options)).mounted) {
    await setProperties(dataset, properties, options);
    return;
  }
  const { canmount = "on", ...others } = properties;
  await setProperties(dataset, { canmount: "noauto" }, options);
  await setProperties(dataset, others, options);
  await setProperties(dataset, { canmount }, options);
}
