import type { Commit } from "@ployz/primitives/protocol";
import { PloyzError } from "../error-codes.ts";

/** A run would be a second writer. @throws PloyzError `volume_in_use`. */
export function refuseSingleWriter({ namespace, services, volumes }: Commit, service: string): void {
  const used = services[service]?.spec.volumes ?? {};
  const single = volumes.find(({ name, spec }) => Object.hasOwn(used, name) && spec.scope === "single");
  if (single === undefined) return;
  throw new PloyzError({
    code: "volume_in_use",
    message: `${namespace}/${service} uses the volume ${single.name}, which has a single writer`,
    hint: `run the program in its instance: ployzctl exec ${namespace}/${service} -- …`,
  });
}
