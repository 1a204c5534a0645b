import { expect, test } from "vitest";
import { repositoryOf } from "../src/repository.mjs";
import { checkWords } from "../src/word-rules.mjs";

// Put together here, so that this file does not break the rule that it tests.
const told = ["is", "told"].join(" ");
const goesOn = ["goes", "on"].join(" ");

const check = (path: string, text: string, exempt: readonly string[] = []) =>
  checkWords(repositoryOf([{ path, text }]), exempt).map(({ path, line }) => `${path}:${line}`);

test.each([
  ["a comment", `\n// The caller ${told} later.`, 2],
  ["a comment over two lines", `/**\n * The caller ${told.replace(" ", "\n * ")} later.\n */`, 2],
  ["line comments that follow each other", `// The caller ${told.replace(" ", "\n  // ")} later.`, 1],
  ["a string", `\n\nconst hint = "it ${goesOn}";`, 3],
  ["a template around an expression", ["const m = `what $", "{name} i", "s`;"].join(""), 1],
  ["a string within a template's expression", ["const m = `x $", `{a ? "${goesOn}" : b}\`;`].join(""), 1],
])("a listed phrase in %s", (_, text, line) => {
  expect(check("packages/zfs/src/a.ts", text)).toEqual([`packages/zfs/src/a.ts:${line}`]);
});

test.each([
  "what the instances s|ay, merged",
  "is n|one of a, b",
  "let g|o of the pool",
  "it is no|body to ask",
  "founded a|new from a mirror",
  "some|body is in between",
  "retried ev|er more rarely",
  "does not st|and for --lose",
  "was f|ound nowhere",
])("each kind of riddle is found in a document: %s", (riddle) => {
  expect(check("docs/a.md", `A line.\n\nThis ${riddle.replace("|", "")}.`)[0]).toBe("docs/a.md:3");
});

test("plain words, code and a user's name pass", () => {
  const text = `const told = is; // Keeps running as \`nobody\` for now.\nexport const user = "nobody";\nconst on = goes(on);`;
  expect(check("packages/zfs/src/a.ts", text)).toEqual([]);
  expect(check("docs/a.md", "The user nobody or root. Which of them logs?")).toEqual([]);
});

test("a place that is not done yet passes, and has to be taken off the list when it is", () => {
  expect(check("apps/ployzd/src/api/a.ts", `// ${told}`, ["apps/ployzd/src/api"])).toEqual([]);
  expect(check("apps/ployzd/src/api/a.ts", "// plain", ["apps/ployzd/src/api"])).toEqual([
    "tools/house/src/word-rules.mjs:1",
  ]);
});
