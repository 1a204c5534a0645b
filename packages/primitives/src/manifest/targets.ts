import type { Refusal } from "../error-codes.ts";
import { invalid, type Segment } from "../model/field.ts";
import type { ManifestJob, ManifestService } from "./schema.ts";

/** The machine's programs, which an instance made of a bundle sees read-only: nothing can be mounted in them, either. */
const PROGRAMS = ["/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr"];
/** Of a bundle, or of the machine, in an instance made of one. */
const BUNDLE = [...PROGRAMS, "/app", "/etc/alternatives", "/etc/ssl/certs"];
/** The kernel's own files. */
const KERNEL = ["/dev", "/proc", "/sys"];
const SCRATCH = ["/run", "/tmp", "/var/run", "/var/tmp"];
/** What the runtimes themselves put into an instance, and what its programs would not be the same without. */
const KEPT = [...PROGRAMS, ...KERNEL, "/app", "/etc"];
/** Of every instance. */
const DEVICES = [
  ...["null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "mqueue", "fd"],
  ...["stdin", "stdout", "stderr", "core", "tini", "init"],
].map((name) => `/dev/${name}`);
const NAMES = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

interface Place {
  readonly field: readonly Segment[];
  readonly path: string;
  /** For messages: `volume data`. */
  readonly what: string;
  readonly kept: readonly string[];
  readonly within: readonly string[];
  readonly example: string;
  readonly isFile?: true;
  readonly takesFiles?: true;
}

/** Where a workload's volumes, folders in memory and files are: each in a place of its own, and in none that the instance consists of. */
export function checkTargets(
  at: readonly Segment[],
  workload: ManifestService | ManifestJob,
): readonly Refusal[] {
  const places = placesOf(at, workload);
  return places.flatMap(({ field, path, kept, within: whole, example, isFile }, index) => {
    if (kept.includes(path) || whole.some((folder) => within(path, folder)))
      return [invalid(field, `${path} belongs to the instance itself`, `choose a path such as ${example}`)];
    for (const other of places.slice(0, index)) {
      if (other.takesFiles && isFile && within(path, other.path)) continue;
      if (path === other.path || within(path, other.path) || within(other.path, path))
        return [
          invalid(
            field,
            path === other.path
              ? `${other.what} is mounted at ${path}, too`
              : `${path} and ${other.path} of ${other.what} lie in one another`,
            "give each one a path of its own",
          ),
        ];
    }
    return [];
  });
}

function placesOf(at: readonly Segment[], workload: ManifestService | ManifestJob): readonly Place[] {
  const isBundle = workload.bundle !== undefined;
  const folders = { within: isBundle ? [...KERNEL, ...PROGRAMS] : KERNEL, example: "/data" };
  const volumes = "volumes" in workload ? (workload.volumes ?? {}) : {};
  return [
    ...Object.entries(volumes).map(([name, path]) => ({
      ...{ field: [...at, "volumes", name], path, what: `volume ${name}` },
      ...{ kept: [...KEPT, ...SCRATCH], ...folders },
    })),
    ...Object.keys(workload.tmpfs ?? {}).map((path) => ({
      ...{ field: [...at, "tmpfs", path], path, what: "the folder in memory" },
      ...{ kept: KEPT, ...folders, takesFiles: true as const },
    })),
    ...Object.keys(workload.binds ?? {}).map((path) => ({
      ...{ field: [...at, "binds", path], path, what: "the machine's path" },
      ...{ kept: [...KEPT, ...SCRATCH, ...NAMES], example: "/media" },
      within: isBundle ? [...KERNEL, ...BUNDLE] : KERNEL,
    })),
    ...Object.keys(workload.devices ?? {}).map((path) => ({
      ...{ field: [...at, "devices", path], path, what: "the device" },
      ...{ kept: DEVICES, within: DEVICES, example: "/dev/fuse" },
    })),
    ...Object.keys(workload.files ?? {}).map((path) => ({
      ...{ field: [...at, "files", path], path, what: "the file" },
      ...{ kept: [...KEPT, ...SCRATCH, ...NAMES], example: "/etc/app.conf", isFile: true as const },
      within: isBundle ? [...KERNEL, ...BUNDLE] : KERNEL,
    })),
  ];
}

const within = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);
