import type { CallOptions } from "./call.ts";
import { glance, setProperties } from "./datasets.ts";
import type { SettableProperties } from "./properties.ts";

/**
 * Sets properties as `receive -o` would, without mounting. `zfs set mountpoint` mounts a dataset that had none, except with
 * canmount=noauto; canmount is reset last, also when retrying an interrupted call.
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
