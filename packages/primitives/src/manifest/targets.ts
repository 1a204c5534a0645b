import type { Refusal } from "../error-codes.ts";
import { invalid, type Segment } from "../model/field.ts";
import type { ManifestService } from "./schema.ts";

/** The machine's programs, which an instance made of a bundle sees read-only: nothing can be mounted in them, either. */
const PROGRAMS = ["/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr"];
/** The kernel's own files. */
const KERNEL = ["/dev", "/proc", "/sys"];
/** What the runtimes themselves put into an instance, and what its programs would not be the same without. */
const KEPT = [...PROGRAMS, ...KERNEL, "/app", "/etc", "/run", "/tmp", "/var/run", "/var/tmp"];

/** Where a service's volumes are mounted: each in a place of its own, and in none that the instance consists of. */
export function checkTargets(at: readonly Segment[], service: ManifestService): readonly Refusal[] {
  const whole = service.bundle === undefined ? KERNEL : [...KERNEL, ...PROGRAMS];
  const volumes = Object.entries(service.volumes ?? {});
  return volumes.flatMap(([name, target], index) => {
    const field = [...at, "volumes", name];
    if (KEPT.includes(target) || whole.some((folder) => within(target, folder)))
      return [invalid(field, `${target} belongs to the instance itself`, "choose a path such as /data")];
    for (const [other, taken] of volumes.slice(0, index)) {
      if (target === taken || within(target, taken) || within(taken, target))
        return [
          invalid(
            field,
            target === taken
              ? `volume ${other} is mounted at ${target}, too`
              : `${target} and ${taken} of volume ${other} lie in one another`,
            "give each volume a path of its own",
          ),
        ];
    }
    return [];
  });
}

const within = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);
