import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";
import type { Command } from "../src/command.ts";
import { COMMANDS } from "../src/commands/index.ts";
import { GLOBAL_OPTIONS } from "../src/globals.ts";

const root = join(import.meta.dirname, "../../..");

/** What an operator may read: where it stands, and its text. */
type Said = { readonly at: string; readonly text: string };

/** Flags of other programs that messages, docs and shell commands name. */
const OTHERS = new Set([
  "--no-install-recommends", // apt-get
  ...["--operation", "--remove", "--tarball"], // install.sh
  "--filter", // pnpm
  "--fast", // scripts/test.sh
  "--down", // scripts/quickstart.sh
  "--update-monitor", // docker service
  ...["--prefix", "--uninstall", "--url", "--out"], // install.sh, tools/release/build-release
  ...["--global", "--formula"], // npm, brew
  ...["--check", "--ignore-missing"], // sha256sum
  ...["--dport", "--dports"], // iptables
  ...["--permanent", "--zone", "--add-interface", "--add-port", "--reload"], // firewall-cmd
]);
/** Words after the program's name in sentences about the program. */
const PROSE = new Set(["and", "dial-stdio", "docs", "does", "prints", "ployzctl", "reaches", "uses"]);

const flagsOf = (options: Command["options"] = {}) =>
  Object.entries(options).flatMap(([name, { aliases = [] }]) => [name, ...aliases].map((one) => `--${one}`));
const GLOBAL = [...flagsOf(GLOBAL_OPTIONS), "--version"];
const KNOWN = new Set([...GLOBAL, ...OTHERS, ...COMMANDS.flatMap(({ options }) => flagsOf(options))]);
const PATHS = COMMANDS.flatMap((command) =>
  [command.path, ...(command.aliases ?? [])].map((path) => ({ path, command })),
);
const NOUNS = new Set(PATHS.map(({ path }) => path[0]));

/** The command that the words begin with; null for the beginning of one, such as `machine`; undefined for none. */
function commandOf(words: readonly string[]): Command | null | undefined {
  if (words[0] === "help" || words[0] === "completion") return null;
  const fitting = PATHS.filter(({ path }) => path.every((word, index) => words[index] === word));
  const [longest] = fitting.sort((a, b) => b.path.length - a.path.length);
  if (longest !== undefined) return longest.command;
  return PATHS.some(({ path }) => words.every((word, index) => path[index] === word)) ? null : undefined;
}

/** What the text names that does not exist. */
function unknownIn({ at, text }: Said): string[] {
  const found: string[] = [];
  for (const [flag] of text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g))
    if (!KNOWN.has(flag)) found.push(`${at}: ${flag}`);
  for (const [call, named = ""] of text.matchAll(/ployzctl ([a-z][a-z-]*(?: [a-z][a-z-]*)*)[^`;,()|&\n]*/g)) {
    const words = named.split(" ");
    if (PROSE.has(words[0] ?? "")) continue;
    const command = NOUNS.has(words[0] ?? "") || words[0] === "help" ? commandOf(words) : undefined;
    if (command === undefined) found.push(`${at}: ployzctl ${named}`);
    const own = [...GLOBAL, ...flagsOf(command?.options)];
    for (const [flag] of command ? call.matchAll(/(?<![\w-])--[a-z][a-z-]*/g) : [])
      if (!own.includes(flag)) found.push(`${at}: ployzctl ${command?.path.join(" ")} ${flag}`);
  }
  return found;
}

function stringsOf(path: string): Said[] {
  const source = ts.createSourceFile(path, readFileSync(join(root, path), "utf8"), ts.ScriptTarget.Latest);
  const said: Said[] = [];
  const add = (node: ts.Node, text: string) => {
    const { line } = source.getLineAndCharacterOfPosition(node.pos);
    // A flag by itself is an argument to a program.
    if (/\s/.test(text)) said.push({ at: `${path}:${line + 1}`, text });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) add(node, node.text);
    else if (ts.isTemplateExpression(node))
      add(node, node.head.text + node.templateSpans.map(({ literal }) => `X${literal.text}`).join(""));
    ts.forEachChild(node, visit);
  };
  visit(source);
  return said;
}

const sources = ["packages", "apps"].flatMap((place) =>
  readdirSync(join(root, place)).flatMap((name) =>
    readdirSync(join(root, place, name, "src"), { recursive: true, encoding: "utf8" })
      .filter((path) => /(?<!\.test)\.ts$/.test(path))
      .map((path) => `${place}/${name}/src/${path}`),
  ),
);
const docs = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

it("every command and flag that a message or a page names exists", () => {
  const said = [
    ...sources.flatMap(stringsOf),
    ...docs.flatMap((path) =>
      readFileSync(join(root, path), "utf8")
        .split("\n")
        .map((text, index) => ({ at: `${path}:${index + 1}`, text })),
    ),
  ];
  expect(said.flatMap(unknownIn)).toEqual([]);
  expect(said.filter(({ text }) => text.includes("ployzctl ")).length).toBeGreaterThan(200);
}, 120_000);

it.each([
  ["a flag of no command", "found the cluster on another range with --cluster-cidr", "--cluster-cidr"],
  ["a flag of another command", "ployzctl machine ls --cidr 10.0.0.0/8", "ployzctl machine ls --cidr"],
  ["an unknown verb", "ployzctl machine eject X", "ployzctl machine eject"],
  ["an unknown noun", "ployzctl frobnicate", "ployzctl frobnicate"],
])("%s is found", (_, text, found) => {
  expect(unknownIn({ at: "x", text })).toEqual([`x: ${found}`]);
});
