import { packageOf } from "./repository.mjs";
import { readSyntax } from "./syntax.mjs";

/**
 * @typedef {import("./repository.mjs").Repository} Repository
 * @typedef {import("./repository.mjs").Violation} Violation
 */

const isCode = /\.(ts|mts|js|mjs)$/;
const isTest = /\.test\.ts$|\/test\//;
const isExample = /\/examples\//;
const spawners = new Set(["child_process", "node:child_process", "execa", "cross-spawn"]);
const clocks = new Set([
  "Date.now",
  "performance.now",
  "Math.random",
  "setTimeout",
  "setInterval",
  "setImmediate",
]);
const testFunctions = /^(it|test|describe|suite|bench)(\.[a-z]+)*\.(only|skip|todo|fails)(\.[a-z]+)*$/i;

/**
 * Rules on syntax: spawning, printing, the kernel's clock and randomness, imports.
 * @param {Repository} repository
 * @returns {Violation[]}
 */
export function checkCode(repository) {
  return repository.files
    .filter((file) => isCode.test(file.path) && /^(packages|apps|tools)\//.test(file.path))
    .flatMap((file) => {
      const { imports, uses } = readSyntax(file);
      return [...checkImports(repository, file.path, imports), ...checkUses(file.path, uses)];
    });
}

/**
 * @param {Repository} repository
 * @param {string} path
 * @param {readonly import("./syntax.mjs").Import[]} imports
 * @returns {Violation[]}
 */
function checkImports(repository, path, imports) {
  const own = packageOf(repository, path);
  if (own === undefined) return [];
  /** @type {Violation[]} */
  const found = [];
  for (const { specifier, line } of imports) {
    /** @param {string} rule @param {string} message */
    const add = (rule, message) => found.push({ rule, path, line, message });
    // A package without @ployz/exec does not depend on it just for its tests.
    const freeTest = isTest.test(path) && !own.dependencies.includes("@ployz/exec");
    if (spawners.has(specifier) && own.name !== "@ployz/exec" && own.tag !== "tool" && !freeTest) {
      add("spawn", `imports ${specifier}: programs are run only through @ployz/exec`);
    }
    const leaves = specifier.startsWith(".") && !`${resolve(path, specifier)}/`.startsWith(`${own.dir}/`);
    // A package's tool configuration at its root may share the repository's; code may not.
    if (leaves && path.slice(own.dir.length + 1).includes("/")) {
      add("deep-import", `${specifier} leaves ${own.name}: import the other package by its name`);
    }
    const match = /^(@ployz\/[^/]+)(\/.*)?$/.exec(specifier);
    if (match === null) continue;
    const [, name = "", subpath = ""] = match;
    const other = repository.packages.find((candidate) => candidate.name === name);
    if (other === undefined) add("deep-import", `${name} is not a package of this repository`);
    else if (other !== own && !other.exports.includes(`.${subpath}`)) {
      add("deep-import", `${specifier} is not among the exports of ${name}`);
    }
    if (other !== own && !own.dependencies.includes(name)) {
      add("undeclared", `${name} is not among the dependencies of ${own.name}`);
    }
  }
  return found;
}

/**
 * @param {string} path
 * @param {readonly import("./syntax.mjs").Use[]} uses
 * @returns {Violation[]}
 */
function checkUses(path, uses) {
  const inPackage = path.startsWith("packages/");
  const inKernel =
    path.startsWith("packages/primitives/src/") &&
    !path.startsWith("packages/primitives/src/testing/") &&
    !isTest.test(path);
  /** @type {Violation[]} */
  const found = [];
  for (const { name, line, args } of uses) {
    /** @param {string} rule @param {string} message */
    const add = (rule, message) => found.push({ rule, path, line, message });
    if (
      inPackage &&
      !isTest.test(path) &&
      !isExample.test(path) &&
      /^console\.|^process\.(stdout|stderr)\b/.test(name)
    ) {
      add("print", `${name}: packages return data, the apps print`);
    }
    const bare = name.replace(/^(globalThis|global)\./, "");
    if (inKernel && (clocks.has(bare) || (bare === "new Date" && args === 0))) {
      add("kernel-clock", `${name}: time and randomness come in as arguments`);
    }
    if (inKernel && /^(crypto|globalThis\.crypto)\.(randomUUID|getRandomValues|randomBytes)$/.test(name)) {
      add("kernel-clock", `${name}: time and randomness come in as arguments`);
    }
    // A `once` listener is removed before the next one runs: execa's listener then finds no other handler and ends the process.
    if (name === "process.once") add("signal-once", "process.once: process.on, or execa ends this process");
    if (testFunctions.test(name)) add("focused-test", `${name}: run every test, or delete it`);
  }
  return found;
}

/**
 * @param {string} path
 * @param {string} specifier
 */
function resolve(path, specifier) {
  const parts = path.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
