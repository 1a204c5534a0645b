import { packageOf } from "./repository.mjs";
import { readSyntax } from "./syntax.mjs";

/**
 * @typedef {import("./repository.mjs").Repository} Repository
 * @typedef {import("./repository.mjs").Violation} Violation
 * @typedef {{ readonly from: string, readonly to: string, readonly line: number }} Arrow
 */

/**
 * The order of the rooms, from the top floor down: a room imports rooms of lower floors only, never its neighbours. A room is a folder or a file (without `.ts`)
 * directly below the key; unlisted rooms stand on the ground floor.
 * @type {Readonly<Record<string, readonly (readonly string[])[]>>}
 */
export const floors = {
  "apps/ployzd/src": [
    ["main", "parts"],
    ["run"],
    ["api"],
    ["daemon"],
    ["follower", "store", "invites"],
    ["mesh", "operations", "runs", "schedules"],
    ["certificates", "backups", "alerts"],
    ["shipping"],
    ["participant", "secrets", "streams"],
    ["images", "metrics"],
    ["state", "remote", "peers"],
    ["host", "config", "transfer"],
  ],
  "packages/primitives/src/change": [["primitive"], ["plan"], ["steps"], ["decide"], ["observe"]],
};

const isSource = /^(packages|apps|tools)\/.*\/src\/.*\.(ts|mjs)$/;
const isTest = /\.test\.ts$|\/test\//;

/**
 * Imports run one way: no circle of files within a package (type-only imports count), and no import from a lower floor to a higher one.
 * @param {Repository} repository
 * @param {typeof floors} [order]
 * @returns {Violation[]}
 */
export function checkFloors(repository, order = floors) {
  const arrows = repository.files
    .filter(({ path }) => isSource.test(path) && !isTest.test(path))
    .flatMap((file) => arrowsOf(repository, file));
  return [...circles(arrows), ...Object.entries(order).flatMap(([root, list]) => upward(arrows, root, list))];
}

/**
 * @param {Repository} repository
 * @param {import("./repository.mjs").SourceFile} file
 * @returns {Arrow[]}
 */
function arrowsOf(repository, file) {
  const own = packageOf(repository, file.path);
  if (own === undefined) return [];
  return readSyntax(file).imports.flatMap(({ specifier, line }) => {
    if (!specifier.startsWith(".")) return [];
    const to = new URL(specifier, `file:///${file.path}`).pathname.slice(1);
    return to === file.path || !to.startsWith(`${own.dir}/`) ? [] : [{ from: file.path, to, line }];
  });
}

/**
 * Tarjan's strongly connected components; each one of two files or more is reported once, at its first file.
 * @param {readonly Arrow[]} arrows
 * @returns {Violation[]}
 */
function circles(arrows) {
  /** @type {Map<string, Arrow[]>} */
  const out = new Map();
  for (const arrow of arrows) out.set(arrow.from, [...(out.get(arrow.from) ?? []), arrow]);
  /** @type {Map<string, number>} */
  const index = new Map();
  /** @type {Map<string, number>} */
  const low = new Map();
  /** @type {string[]} */
  const stack = [];
  /** @type {Violation[]} */
  const found = [];
  /** @param {string} path */
  const visit = (path) => {
    index.set(path, index.size);
    low.set(path, index.get(path) ?? 0);
    stack.push(path);
    for (const { to } of out.get(path) ?? []) {
      if (!index.has(to)) visit(to);
      if (stack.includes(to)) low.set(path, Math.min(low.get(path) ?? 0, low.get(to) ?? 0));
    }
    if (low.get(path) !== index.get(path)) return;
    const members = stack.splice(stack.indexOf(path)).sort();
    const [first] = members;
    if (members.length < 2 || first === undefined) return;
    const line = out.get(first)?.find(({ to }) => members.includes(to))?.line ?? 1;
    found.push({ rule: "circle", path: first, line, message: `imports in a circle: ${members.join(", ")}` });
  };
  for (const path of out.keys()) if (!index.has(path)) visit(path);
  return found;
}

/**
 * @param {readonly Arrow[]} arrows
 * @param {string} root
 * @param {readonly (readonly string[])[]} list
 * @returns {Violation[]}
 */
function upward(arrows, root, list) {
  /** @param {string} path */
  const roomOf = (path) =>
    path
      .slice(root.length + 1)
      .split("/")[0]
      ?.replace(/\.ts$/, "") ?? "";
  /** @param {string} room */
  const depth = (room) => {
    const found = list.findIndex((floor) => floor.includes(room));
    return found < 0 ? list.length : found;
  };
  return arrows.flatMap(({ from, to, line }) => {
    if (!from.startsWith(`${root}/`) || !to.startsWith(`${root}/`)) return [];
    const [above, below] = [roomOf(from), roomOf(to)];
    const ground = depth(above) === list.length && depth(below) === list.length;
    if (above === below || ground || depth(above) < depth(below)) return [];
    return [
      {
        rule: "upward-import",
        path: from,
        line,
        message: `${above} may not import ${below}: see floors in tools/house`,
      },
    ];
  });
}
