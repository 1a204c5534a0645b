import { posix } from "node:path";
import { PloyzError } from "../error-codes.ts";

export type EntryKind = "dir" | "file" | "link" | "none";

/** How the plan looks at the machine's files; a table in tests. */
export interface HostFiles {
  kind(path: string): Promise<EntryKind>;
  list(dir: string): Promise<readonly string[]>;
  readLink(path: string): Promise<string>;
}

/** An empty place in the skeleton folder, on which the machine's own files are mounted. */
export interface SkeletonEntry {
  readonly path: string;
  readonly kind: "dir" | "file" | "link";
  readonly target?: string;
}

export interface RootPlan {
  /** Parents first. */
  readonly skeleton: readonly SkeletonEntry[];
  /** Machine folders and files shown read-only. Shallow ones first. */
  readonly binds: readonly string[];
}

type Node =
  | { readonly type: "own"; readonly children: Map<string, Node> }
  | { readonly type: "bound"; readonly kind: "dir" | "file" }
  | { readonly type: "link"; readonly target: string }
  | { readonly type: "point" };

/**
 * Plans the root folder that an instance sees: a skeleton of its own with only the `shown` top-level folders of the machine
 * bound into it. A mount point that does not exist within a shown folder cannot be made there (it is read-only), so that
 * folder is taken apart: its entries are bound one by one into an own folder, where the mount point can be made.
 */
export async function planRoot(
  files: HostFiles,
  shown: readonly string[],
  points: readonly { readonly path: string; readonly kind: "dir" | "file" }[],
): Promise<RootPlan> {
  const root: Node = { type: "own", children: new Map() };
  for (const path of shown) {
    const node = await show(files, path);
    if (node !== undefined) root.children.set(path.slice(1), node);
  }
  for (const point of points) await makePoint(files, root, point);
  const skeleton: SkeletonEntry[] = [];
  const binds: string[] = [];
  emit(root, "/", skeleton, binds);
  return { skeleton, binds: binds.sort((a, b) => depth(a) - depth(b)) };
}

async function show(files: HostFiles, path: string): Promise<Node | undefined> {
  const kind = await files.kind(path);
  if (kind === "link") return { type: "link", target: await files.readLink(path) };
  return kind === "none" ? undefined : { type: "bound", kind };
}

async function makePoint(
  files: HostFiles,
  root: Extract<Node, { type: "own" }>,
  point: { readonly path: string; readonly kind: "dir" | "file" },
): Promise<void> {
  const parts = point.path.split("/").filter((part) => part !== "");
  let folder = root;
  for (const [index, name] of parts.entries()) {
    const path = `/${parts.slice(0, index + 1).join("/")}`;
    const last = index === parts.length - 1;
    const node = folder.children.get(name);
    if (node === undefined) {
      const made: Node =
        last && point.kind === "file" ? { type: "point" } : { type: "own", children: new Map() };
      folder.children.set(name, made);
      if (made.type === "own") folder = made;
      continue;
    }
    if (node.type === "own") {
      folder = node;
      continue;
    }
    if (node.type === "link" || node.type === "point") {
      if (last && node.type === "point") return;
      throw badTarget(point.path, `${path} is a link or a file here`);
    }
    if (await existsPlainly(files, point.path, index, point.kind)) return;
    if (node.kind === "file") throw badTarget(point.path, `${path} is a file`);
    const apart: Node = { type: "own", children: new Map() };
    for (const child of await files.list(path)) {
      const shownChild = await show(files, posix.join(path, child));
      if (shownChild !== undefined) apart.children.set(child, shownChild);
    }
    folder.children.set(name, apart);
    folder = apart;
  }
}

/** Whether the point is there on the machine, reached without a symbolic link and of the wanted kind. */
async function existsPlainly(
  files: HostFiles,
  path: string,
  from: number,
  kind: "dir" | "file",
): Promise<boolean> {
  const parts = path.split("/").filter((part) => part !== "");
  for (let index = from; index < parts.length; index++) {
    const found = await files.kind(`/${parts.slice(0, index + 1).join("/")}`);
    if (found === "link") throw badTarget(path, "it leads through a symbolic link");
    if (found !== (index === parts.length - 1 ? kind : "dir")) return false;
  }
  return true;
}

function emit(node: Node, path: string, skeleton: SkeletonEntry[], binds: string[]): void {
  if (node.type === "link") {
    skeleton.push({ path, kind: "link", target: node.target });
    return;
  }
  if (node.type === "point") skeleton.push({ path, kind: "file" });
  if (node.type === "bound") {
    skeleton.push({ path, kind: node.kind });
    binds.push(path);
  }
  if (node.type === "own") {
    if (path !== "/") skeleton.push({ path, kind: "dir" });
    for (const [name, child] of node.children) emit(child, posix.join(path, name), skeleton, binds);
  }
}

function depth(path: string): number {
  return path.split("/").length;
}

function badTarget(path: string, why: string): PloyzError {
  return new PloyzError({
    code: "mount_target_invalid",
    message: `nothing can be mounted at ${path}: ${why}`,
    hint: "choose another path inside the instance",
  });
}

/**
 * File systems mounted within the bound folders, shallow ones first: a bind shows what is under a mount point (mount(8), "bind mount
 * operation"), so a /usr/local or /opt on a disk of its own would look empty. Takes the text of proc_pid_mountinfo(5).
 */
export function mountsWithin(
  mountinfo: string,
  binds: readonly string[],
  hidden: readonly string[],
): readonly string[] {
  const within = (path: string, tops: readonly string[]) => tops.some((top) => path.startsWith(`${top}/`));
  const found = mountinfo.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const point = before.split(" ")[4];
    // Looking at an automount point mounts it.
    if (point === undefined || after.startsWith("autofs ")) return [];
    return [
      point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    ];
  });
  return [...new Set(found)]
    .filter((path) => within(path, binds) && !hidden.includes(path) && !within(path, hidden))
    .sort((a, b) => depth(a) - depth(b));
}
