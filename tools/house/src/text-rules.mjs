/**
 * @typedef {import("./repository.mjs").Repository} Repository
 * @typedef {import("./repository.mjs").Violation} Violation
 */

export const longestFile = 300;

/**
 * Files that may be longer than 300 lines, each with the reason.
 * @type {Readonly<Record<string, string>>}
 */
export const allowedLong = {};

/** Forbidden in every file: hosts of package registries and mirrors (each user configures them), and paths of one machine. */
const forbidden = [
  {
    rule: "registry-host",
    pattern:
      /\b(registry\.(npmjs|yarnpkg|npmmirror)\.[a-z]+|npm\.pkg\.github\.com|(deb|security|ftp|snapshot)\.debian\.org|(archive|security)\.ubuntu\.com|pypi\.org|static\.crates\.io|index\.crates\.io|proxy\.golang\.org|rubygems\.org)\b|\b(artifactory|nexus|npm-proxy|apt-proxy|mirrors?)\.[a-z0-9-]+\.[a-z]{2,}/i,
    message: "names the host of a package registry or mirror: use the machine's configuration",
  },
  {
    rule: "machine-path",
    pattern:
      /(?<![\w.])(\/work\/(?!\.\.)[a-z]|\/tmp\/(brief|bash_jobs)|\/Users\/[A-Za-z]|\/home\/(?!user\b|ployz\b)[a-z]+\/)/,
    message: "holds a path of one machine: derive it from the file's location",
  },
];

const isSource = /\.(ts|mts|mjs|js|sh)$/;
const isTest = /\.test\.ts$|\/test\//;

/**
 * Rules on plain text: file length and forbidden content.
 * @param {Repository} repository
 * @param {Readonly<Record<string, string>>} [allowed]
 * @returns {Violation[]}
 */
export function checkText(repository, allowed = allowedLong) {
  return repository.files.flatMap(({ path, text }) => {
    const lines = text.split("\n");
    const length = lines.at(-1) === "" ? lines.length - 1 : lines.length;
    /** @type {Violation[]} */
    const found = [];
    if (isSource.test(path) && !isTest.test(path) && length > longestFile && allowed[path] === undefined) {
      found.push({
        rule: "long-file",
        path,
        line: longestFile + 1,
        message: `${length} lines: split it by what it does`,
      });
    }
    lines.forEach((line, index) => {
      for (const { rule, pattern, message } of forbidden) {
        const match = pattern.exec(line);
        if (match) found.push({ rule, path, line: index + 1, message: `"${match[0]}" ${message}` });
      }
    });
    return found;
  });
}
