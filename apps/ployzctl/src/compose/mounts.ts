import { isTable, type Table } from "../manifest/document.ts";
import type { ComposePath, Report } from "./report.ts";

interface Mounts {
  /** Mount paths by name. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Paths of the machine, by path in the instance. */
  readonly binds: Readonly<Record<string, unknown>>;
  /** By path in the instance. */
  readonly files: Readonly<Record<string, Table>>;
}

/** `volumes` of a service: named ones, files beside the Compose file, and absolute paths of the machine. */
export function convertMounts(volumes: unknown, at: ComposePath, report: Report): Mounts {
  const found = new Map<string, string>();
  const files = new Map<string, Table>();
  const binds = new Map<string, unknown>();
  for (const [index, entry] of (Array.isArray(volumes) ? volumes : []).entries()) {
    const path = [...at, index];
    const mount = typeof entry === "string" ? short(entry) : (entry as Mount);
    const { type = "volume", source, target, read_only: readOnly, ...rest } = mount;
    const [other] = Object.keys(rest);
    if (isHostPath(mount) && target !== undefined && isPlain(rest)) {
      const from = (source ?? "").replace(/(.)\/+$/, "$1");
      const inside = target.replace(/(.)\/+$/, "$1");
      if (binds.has(inside)) report.add(path, `${inside} is mounted a second time`, "mount it once");
      else binds.set(inside, readOnly === true ? { source: from, read_only: true } : from);
    } else if (isFile(mount) && other === undefined) files.set(target ?? "", { path: source });
    else if (type === "bind" || (type === "volume" && /^[./~]/.test(source ?? "")))
      report.add(
        path,
        other === undefined ? "is a file or folder of the host" : `${other} is not supported`,
        "put the files into the image or a bundle, or name a volume",
      );
    else if (type !== "volume") report.add(path, `a mount of type ${type}`, "leave it out: /tmp is writable");
    else if (source === undefined || source === "" || target === undefined)
      report.add(path, "is a volume without a name", "name it: NAME:/path, and list it below volumes");
    else if (readOnly === true) report.add(path, "is read-only", "leave out ro");
    else if (other !== undefined) report.add([...path, other], "is not supported", "leave it out");
    else if (found.has(source)) report.add(path, `mounts ${source} a second time`, "mount it once");
    else found.set(source, target.replace(/(.)\/+$/, "$1"));
  }
  return {
    volumes: Object.fromEntries(found),
    files: Object.fromEntries(files),
    binds: Object.fromEntries(binds),
  };
}

/** An absolute path: a relative one is of the computer that deploys, and not of the machine. */
const isHostPath = ({ type = "bind", source = "" }: Mount): boolean =>
  (type === "bind" || type === "volume") && source.startsWith("/");

/** Docker's defaults, and labels of SELinux, which change nothing here. */
const isPlain = ({ bind = {}, ...rest }: Table): boolean =>
  Object.keys(rest).length === 0 &&
  isTable(bind) &&
  Object.entries(bind).every(
    ([key, value]) => key === "selinux" || (key === "create_host_path" && value === false),
  );

/** A file beside the Compose file, by its ending: a folder is found when it is read. */
const isFile = ({ type, source = "", target = "" }: Mount): boolean =>
  type !== "tmpfs" &&
  /^\.{1,2}\//.test(source) &&
  /[^/.][^/]*\.[^/.]+$/.test(target) &&
  /\.[^/.]+$/.test(source);

interface Mount {
  readonly type?: string;
  readonly source?: string;
  readonly target?: string;
  readonly read_only?: boolean;
  readonly [key: string]: unknown;
}

/** Path in the instance of an entry of `volumes`. */
export const targetOf = (entry: unknown): string =>
  ((typeof entry === "string" ? short(entry) : (entry as Mount | null))?.target ?? "").replace(
    /(.)\/+$/,
    "$1",
  );

/** `[SOURCE:]TARGET[:MODE]`; `rw`, `z` and `Z` change nothing here. */
function short(text: string): Mount {
  const parts = text.split(":");
  if (parts.length === 1) return { target: text };
  const [source = "", target = "", mode = "rw", ...more] = parts;
  const words = [...mode.split(","), ...more];
  const other = words.find((word) => !["rw", "ro", "z", "Z"].includes(word));
  return {
    ...{ source, target, read_only: words.includes("ro") },
    ...(other !== undefined && { [other]: true }),
  };
}
