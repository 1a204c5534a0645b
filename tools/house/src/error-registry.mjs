import ts from "typescript";
import { packageOf } from "./repository.mjs";

/**
 * @typedef {import("./repository.mjs").Repository} Repository
 * @typedef {import("./repository.mjs").SourceFile} SourceFile
 * @typedef {import("./repository.mjs").Violation} Violation
 * @typedef {{ readonly code: string, readonly area: string, readonly exit: string, readonly meaning: string, readonly owner: string, readonly path: string, readonly line: number }} Entry
 * @typedef {{ readonly code: string, readonly thrower: string, readonly path: string, readonly line: number, readonly certain: boolean }} Throw
 *   `certain`: the value of a property `code`. Otherwise a string that may become one: an argument, a variable.
 */

const isRegistry = /^(packages|apps)\/[^/]+\/src\/error-codes\.ts$|^packages\/errors\/src\/shared\.ts$/;
const isSource = /^(packages|apps)\/[^/]+\/src\/(?!testing\/).*\.ts$/;
const isTest = /\.test\.ts$|\/test\//;
/** Functions whose arguments do not become an error's code. `warning`: see apps/ployzd/src/warnings/codes.ts, whose type checks it. */
const others = new Set(["hasCode", "has", "includes", "warning"]);

/**
 * Every registered code: by package, the argument of its `defineErrors`.
 * @param {Repository} repository
 * @returns {Entry[]}
 */
export function readRegistries(repository) {
  return repository.files
    .filter(({ path }) => isRegistry.test(path))
    .flatMap((file) => {
      const source = parse(file);
      const owner = packageOf(repository, file.path)?.name ?? "";
      return properties(definitionsOf(source)).flatMap(([area, exits]) =>
        properties(exits).flatMap(([exit, meanings]) =>
          properties(meanings).map(([code, meaning]) => ({
            ...{ code, area, exit, owner, path: file.path },
            meaning: ts.isStringLiteralLike(meaning) ? meaning.text : "",
            line: source.getLineAndCharacterOfPosition(meaning.parent.getStart(source)).line + 1,
          })),
        ),
      );
    });
}

/**
 * The chapters of the page and the exit codes by their names, in the order of their definition.
 * @param {Repository} repository
 */
export function readChapters(repository) {
  const file = repository.files.find(({ path }) => path === "packages/errors/src/registry.ts");
  /** @param {string} name */
  const table = (name) =>
    properties(file && constantOf(parse(file), name)).map(([key, value]) => [
      key,
      ts.isLiteralExpression(value) ? value.text : "",
    ]);
  return { areas: table("AREAS"), exits: Object.fromEntries(table("EXIT_OF")) };
}

/**
 * Every place that may throw or return a code, by syntax.
 * @param {Repository} repository
 * @returns {Throw[]}
 */
export function readThrows(repository) {
  return repository.files
    .filter(({ path }) => isSource.test(path) && !isTest.test(path) && !isRegistry.test(path))
    .flatMap((file) => {
      const source = parse(file);
      const thrower = packageOf(repository, file.path)?.name ?? "";
      /** @type {Throw[]} */
      const found = [];
      /** @param {ts.Node} node */
      const visit = (node) => {
        if (ts.isStringLiteral(node) && /^[a-z][a-z0-9_]*$/.test(node.text)) {
          const certain = becomes(node);
          const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
          if (certain !== undefined)
            found.push({ code: node.text, thrower, path: file.path, line, certain: certain === "code" });
        }
        ts.forEachChild(node, visit);
      };
      visit(source);
      return found;
    });
}

/**
 * Registry and throws agree in both directions, and a code has one meaning.
 * @param {Repository} repository
 * @returns {Violation[]}
 */
export function checkErrors(repository) {
  const entries = readRegistries(repository);
  if (entries.length === 0) return [];
  const throws = readThrows(repository);
  /** @param {string} thrower @param {string} code */
  const entryFor = (thrower, code) =>
    entries.find((entry) => entry.code === code && visible(repository, thrower, entry.owner));
  /** @type {Violation[]} */
  const unregistered = throws
    .filter(({ certain, thrower, code }) => certain && entryFor(thrower, code) === undefined)
    .map(({ code, thrower, path, line }) => ({
      ...{ rule: "error-code", path, line },
      message: `${code} is not in a registry of ${thrower}: add it to src/error-codes.ts`,
    }));
  const wrong = entries.flatMap(({ code, owner, path, line }, index) => {
    if (entries.findIndex((entry) => entry.code === code) < index)
      return [{ rule: "error-code", path, line, message: `${code} is registered twice` }];
    const used = throws.some((one) => one.code === code && visible(repository, one.thrower, owner));
    return used ? [] : [{ rule: "error-code", path, line, message: `${code} is never thrown` }];
  });
  return [...unregistered, ...wrong];
}

/**
 * A package throws its own codes and those of its dependencies.
 * @param {Repository} repository
 * @param {string} thrower
 * @param {string} owner
 */
function visible(repository, thrower, owner) {
  const own = repository.packages.find(({ name }) => name === thrower);
  return thrower === owner || own?.dependencies.includes(owner) === true;
}

/**
 * `code` for the value of such a property, `maybe` for an argument, a variable or a result; undefined where it is only compared.
 * @param {ts.Node} node
 * @returns {"code" | "maybe" | undefined}
 */
function becomes(node) {
  const { parent } = node;
  if (ts.isConditionalExpression(parent) && parent.condition !== node) return becomes(parent);
  if (ts.isParenthesizedExpression(parent) || ts.isAsExpression(parent)) return becomes(parent);
  if (ts.isBinaryExpression(parent))
    return parent.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken ? becomes(parent) : undefined;
  if (ts.isPropertyAssignment(parent))
    return ts.isIdentifier(parent.name) && parent.name.text === "code" ? "code" : undefined;
  if (ts.isVariableDeclaration(parent)) return "maybe";
  if (!ts.isCallExpression(parent) || parent.expression === node) return undefined;
  const { expression } = parent;
  const callee = ts.isPropertyAccessExpression(expression) ? expression.name : expression;
  return ts.isIdentifier(callee) && others.has(callee.text) ? undefined : "maybe";
}

/** @param {SourceFile} file */
function parse(file) {
  return ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
}

/**
 * @param {ts.Node} node
 * @returns {ts.Node | undefined}
 */
function definitionsOf(node) {
  if (
    ts.isCallExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === "defineErrors"
  )
    return node.arguments[0];
  return ts.forEachChild(node, definitionsOf);
}

/**
 * @param {ts.Node} node
 * @param {string} name
 * @returns {ts.Node | undefined}
 */
function constantOf(node, name) {
  if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.name.text === name)
    return node.initializer && ts.isAsExpression(node.initializer)
      ? node.initializer.expression
      : node.initializer;
  return ts.forEachChild(node, (child) => constantOf(child, name));
}

/**
 * @param {ts.Node | undefined} node
 * @returns {[string, ts.Expression][]}
 */
function properties(node) {
  if (node === undefined || !ts.isObjectLiteralExpression(node)) return [];
  return node.properties.flatMap((property) =>
    ts.isPropertyAssignment(property) && (ts.isIdentifier(property.name) || ts.isStringLiteral(property.name))
      ? [/** @type {[string, ts.Expression]} */ ([property.name.text, property.initializer])]
      : [],
  );
}
