import { proseOf } from "./prose.mjs";

/**
 * @typedef {import("./repository.mjs").Repository} Repository
 * @typedef {import("./repository.mjs").Violation} Violation
 */

/**
 * Riddles, each with the plain words to use. A space matches any white space, also a line break within a comment.
 * @type {readonly (readonly [RegExp, string])[]}
 */
const phrases = [
  [/\b(is|are|was|were|be|been|being) told\b/, "say who tells what: A notifies B, or: A passes X to B"],
  [/\b(go|goes|going|went|gone) on\b/, "continue, keep running, keep serving"],
  [/\b(let|lets|letting) go\b/, "release, detach, remove, delete"],
  [/\bwhat ([^\s\0;.:!?]+ ){0,4}?(is|are|was|were|says?|said|asks?|asked)\b/, "name the thing"],
  [/\b(is|are|was|were) none of\b/, "must be one of"],
  [/\b(some|any)body\b/, "name the caller, the process, the user"],
  [/\bnobody (?!for\b|or\b|user\b)[a-z]/, "name who does not: no member, no process"],
  [/\bno(body|one) to ask\b/, "stdin is not a terminal"],
  [/\banew\b/, "again"],
  [/\bever (more|less) (rarely|often|seldom)\b/, "with backoff"],
  [
    /\b(that|who) (is|are|was|were) asked\b|\b(is|are) asked (for|at)\b/,
    "this machine, the callee; pulled, requested",
  ],
  [/\bsays ZFS\b/, "ZFS reports"],
  [/\bfound nowhere\b/, "not found on any machine"],
  [/\bbeing emptied\b/, "being drained"],
  [/\bwent away\b/, "disappeared; lost the connection to"],
  [/\bas (its|a) peer\b/, "add peer"],
  [/\bstands? for --/, "imply --"],
  [/\bgive more of it\b/, "use more characters"],
  [/\bnot tried, because\b/, "skipped: "],
  [/\b(nothing|workloads?) (new )?comes? to\b/, "receives no"],
  [/\btakes? no writes\b/, "refuse writes"],
];

/**
 * Files and folders that still hold riddles. Shorten it; never add to it.
 * @type {readonly string[]}
 */
export const notYetPlain = [
  // Its text is the key of the cached roots: a change makes every host build them again.
  "tools/lab/root/build.sh",
];

const isProse = /\.(ts|mts|mjs|js|md|sh|toml|ya?ml)$/;

/**
 * Comments, string literals and documents are in plain words (CONTRIBUTING, Glossary).
 * @param {Repository} repository
 * @param {readonly string[]} [exempt]
 * @returns {Violation[]}
 */
export function checkWords(repository, exempt = notYetPlain) {
  const found = repository.files.filter(({ path }) => isProse.test(path)).flatMap(riddles);
  /** @param {string} path */
  const exemption = (path) => exempt.find((entry) => path === entry || path.startsWith(`${entry}/`));
  const used = new Set(found.map(({ path }) => exemption(path)));
  return [
    ...found.filter(({ path }) => exemption(path) === undefined),
    ...exempt
      .filter((entry) => !used.has(entry))
      .map((entry) => ({
        rule: "words",
        path: "tools/house/src/word-rules.mjs",
        line: 1,
        message: `${entry} is plain: take it off notYetPlain`,
      })),
  ];
}

/**
 * @param {import("./repository.mjs").SourceFile} file
 * @returns {Violation[]}
 */
function riddles(file) {
  const prose = proseOf(file);
  return phrases.flatMap(([phrase, better]) =>
    [...prose.matchAll(new RegExp(phrase.source.replaceAll(" ", "\\s+"), "gi"))].map((match) => ({
      rule: "words",
      path: file.path,
      line: file.text.slice(0, match.index).split("\n").length,
      message: `"${match[0].replace(/\s+/g, " ")}": ${better}`,
    })),
  );
}
