/**
 * @typedef {import("./repository.mjs").Repository} Repository
 * @typedef {import("./repository.mjs").Violation} Violation
 * @typedef {{ readonly line: number, readonly link: string, readonly cells: readonly string[] }} Row
 */

const map = "docs/source-map.md";
const decisions = "docs/adr/README.md";

/**
 * The indexes that people navigate by are complete: every folder of the source has its line in the source map, and every decision its line,
 * with status and date, in the list of decisions. Lines without their folder or record are reported too.
 * @param {Repository} repository
 * @returns {Violation[]}
 */
export function checkIndexes(repository) {
  return [...checkSourceMap(repository), ...checkDecisions(repository), ...checkVersions(repository)];
}

/**
 * All packages share one version, and the change log begins with it.
 * @param {Repository} repository
 * @returns {Violation[]}
 */
function checkVersions(repository) {
  const log = repository.files.find(({ path }) => path === "CHANGELOG.md");
  const version = /^## (\S+)$/m.exec(log?.text ?? "")?.[1];
  return repository.packages
    .filter((own) => log !== undefined && own.version !== version)
    .map((own) =>
      violation(
        "version",
        `${own.dir}/package.json`,
        1,
        `${own.version}, but CHANGELOG.md begins with ${version}`,
      ),
    );
}

/**
 * @param {Repository} repository
 * @returns {Violation[]}
 */
function checkSourceMap(repository) {
  const folders = new Set(repository.files.flatMap(({ path }) => foldersOf(path)));
  const listed = rowsOf(repository, map, /^\| `([^`]+)` \|/);
  const known = new Set(listed.map(({ link }) => link));
  return [
    ...[...folders]
      .filter((folder) => !known.has(folder))
      .map((folder) => violation("source-map", map, 1, `${folder} is missing: add its line`)),
    ...listed.flatMap(({ link, line, cells }) => {
      if (!folders.has(link))
        return [violation("source-map", map, line, `${link} does not exist: remove its line`)];
      return cells[1] ? [] : [violation("source-map", map, line, `${link} has no description`)];
    }),
  ];
}

/**
 * `packages/zfs/src/a/b.ts` is in `packages/zfs/src` and `packages/zfs/src/a`.
 * @param {string} path
 */
function foldersOf(path) {
  const [, root = "", rest = ""] = /^((?:packages|apps)\/[^/]+\/src)\/(.*)$/.exec(path) ?? [];
  const parts = rest.split("/").slice(0, -1);
  return root === ""
    ? []
    : [root, ...parts.map((_, index) => [root, ...parts.slice(0, index + 1)].join("/"))];
}

/**
 * @param {Repository} repository
 * @returns {Violation[]}
 */
function checkDecisions(repository) {
  const records = repository.files.flatMap(({ path }) => /^docs\/adr\/(\d{4}-.*\.md)$/.exec(path)?.[1] ?? []);
  const listed = rowsOf(repository, decisions, /^\| \[[^\]]+\]\(([^)]+)\) \|/);
  const known = new Set(listed.map(({ link }) => link));
  const numbers = records.map((record) => record.slice(0, 4));
  return [
    ...records
      .filter((record) => !known.has(record))
      .map((record) => violation("decisions", decisions, 1, `${record} is missing: add its line`)),
    ...records
      .filter((_, index) => numbers.indexOf(numbers[index] ?? "") !== index)
      .map((record) =>
        violation("decisions", `docs/adr/${record}`, 1, "its number is taken: use the next free one"),
      ),
    ...listed.flatMap(({ link, line, cells: [, , status = "", date = ""] }) => {
      if (!records.includes(link)) return [violation("decisions", decisions, line, `${link} does not exist`)];
      const fine = /^(accepted|superseded by \[\d+\])/.test(status) && /^\d{4}-\d\d-\d\d$/.test(date);
      return fine ? [] : [violation("decisions", decisions, line, `${link} needs a status and a date`)];
    }),
  ];
}

/**
 * The table rows of a document whose first cell matches.
 * @param {Repository} repository
 * @param {string} path
 * @param {RegExp} first
 * @returns {Row[]}
 */
function rowsOf(repository, path, first) {
  const text = repository.files.find((file) => file.path === path)?.text ?? "";
  return text.split("\n").flatMap((row, index) => {
    const link = first.exec(row)?.[1];
    const cells = row.split("|").slice(1, -1);
    return link === undefined ? [] : [{ line: index + 1, link, cells: cells.map((cell) => cell.trim()) }];
  });
}

/**
 * @param {string} rule @param {string} path @param {number} line @param {string} message
 * @returns {Violation}
 */
const violation = (rule, path, line, message) => ({ rule, path, line, message });
