import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A file that a rule looks at: the path from the repository's root, with forward slashes, and its text.
 * @typedef {{ readonly path: string, readonly text: string }} SourceFile
 */

/**
 * A workspace package: folder, name, layer (the tag in its turbo.json), declared dependencies, and exported subpaths ("." is the package
 * itself).
 * @typedef {{
 *   readonly dir: string, readonly name: string, readonly version: string, readonly tag: string | undefined,
 *   readonly dependencies: readonly string[], readonly exports: readonly string[],
 * }} Package
 */

/**
 * @typedef {{
 *   readonly files: readonly SourceFile[], readonly packages: readonly Package[],
 *   readonly layers: Readonly<Record<string, readonly string[]>>,
 * }} Repository
 */

/**
 * One broken rule, at a line that an editor can jump to.
 * @typedef {{ readonly rule: string, readonly path: string, readonly line: number, readonly message: string }} Violation
 */

/**
 * Reads the files that git tracks or would track: no build output, no ignored files.
 * @param {string} root
 * @returns {Repository}
 */
export function readRepository(root) {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  const files = [...new Set(listed.split("\0"))].filter(Boolean).flatMap((path) => readText(root, path));
  return repositoryOf(files);
}

/**
 * The packages and layers that a set of files describes.
 * @param {readonly SourceFile[]} files
 * @returns {Repository}
 */
export function repositoryOf(files) {
  const textOf = new Map(files.map((file) => [file.path, file.text]));
  const packages = files
    .filter((file) => /^(packages|apps|tools)\/[^/]+\/package\.json$/.test(file.path))
    .map((file) => describe(file, textOf.get(file.path.replace(/package\.json$/, "turbo.json"))));
  const rules = JSON.parse(textOf.get("turbo.json") ?? "{}").boundaries?.tags ?? {};
  const layers = Object.fromEntries(
    Object.entries(rules).map(([tag, rule]) => [tag, rule.dependencies?.allow ?? []]),
  );
  return { files, packages, layers };
}

/**
 * The package that a file belongs to.
 * @param {Repository} repository
 * @param {string} path
 */
export function packageOf(repository, path) {
  return repository.packages.find((candidate) => path.startsWith(`${candidate.dir}/`));
}

/**
 * @param {SourceFile} file
 * @param {string | undefined} turbo
 * @returns {Package}
 */
function describe(file, turbo) {
  const manifest = JSON.parse(file.text);
  return {
    dir: file.path.replace(/\/package\.json$/, ""),
    name: manifest.name,
    version: manifest.version,
    tag: turbo === undefined ? undefined : JSON.parse(turbo).tags?.[0],
    dependencies: ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"].flatMap(
      (field) => Object.keys(manifest[field] ?? {}),
    ),
    exports: Object.keys(manifest.exports ?? {}),
  };
}

/**
 * @param {string} root
 * @param {string} path
 * @returns {SourceFile[]} none for a file that is gone or is no text
 */
function readText(root, path) {
  try {
    const bytes = readFileSync(join(root, path));
    return bytes.subarray(0, 8000).includes(0) ? [] : [{ path, text: bytes.toString("utf8") }];
  } catch {
    return [];
  }
}
