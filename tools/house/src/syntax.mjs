import ts from "typescript";

/**
 * @typedef {{ readonly specifier: string, readonly line: number }} Import
 * @typedef {{ readonly name: string, readonly line: number, readonly called: boolean, readonly args: number }} Use
 *   `name` is a dotted path such as `Date.now`; a `new Date()` is `new Date`.
 */

/** @type {WeakMap<import("./repository.mjs").SourceFile, ts.SourceFile>} */
const parsed = new WeakMap();

/**
 * Parses each file once.
 * @param {import("./repository.mjs").SourceFile} file
 */
export function sourceOf(file) {
  const source = parsed.get(file) ?? ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
  parsed.set(file, source);
  return source;
}

/**
 * A file's imports (also dynamic ones and `require`), and the names it uses, including dotted paths.
 * @param {import("./repository.mjs").SourceFile} file
 */
export function readSyntax(file) {
  const source = sourceOf(file);
  /** @type {Import[]} */
  const imports = [];
  /** @type {Use[]} */
  const uses = [];
  /** @param {ts.Node} node */
  const lineOf = (node) => source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;

  /** @param {ts.Node} node */
  const visit = (node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineOf(node) });
    if (ts.isNewExpression(node)) {
      uses.push({
        name: `new ${dotted(node.expression)}`,
        line: lineOf(node),
        called: true,
        args: node.arguments?.length ?? 0,
      });
    } else if (isOutermostName(node)) {
      const call =
        ts.isCallExpression(node.parent) && node.parent.expression === node ? node.parent : undefined;
      uses.push({
        name: dotted(node),
        line: lineOf(node),
        called: call !== undefined,
        args: call?.arguments.length ?? 0,
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { imports, uses };
}

/** @param {ts.Node} node */
function specifierOf(node) {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
    return textOf(node.moduleSpecifier);
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return textOf(node.argument.literal);
  if (!ts.isCallExpression(node)) return undefined;
  const dynamic =
    node.expression.kind === ts.SyntaxKind.ImportKeyword || dotted(node.expression) === "require";
  return dynamic && node.arguments[0] ? textOf(node.arguments[0]) : undefined;
}

/** @param {ts.Node} node */
const textOf = (node) => (ts.isStringLiteralLike(node) ? node.text : undefined);

/**
 * A name in use, not the name of a member, property, or something declared here.
 * @param {ts.Node} node
 */
function isOutermostName(node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(node))
    return !(ts.isPropertyAccessExpression(parent) && parent.expression === node);
  if (!ts.isIdentifier(node) || parent === undefined) return false;
  if (ts.isPropertyAccessExpression(parent)) return false;
  const declares = /** @type {{ name?: ts.Node, propertyName?: ts.Node }} */ (
    /** @type {unknown} */ (parent)
  );
  return !(
    (declares.name === node && !ts.isShorthandPropertyAssignment(parent)) ||
    declares.propertyName === node
  );
}

/**
 * @param {ts.Node} node
 * @returns {string}
 */
function dotted(node) {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isPropertyAccessExpression(node)) return `${dotted(node.expression)}.${node.name.text}`;
  if (ts.isCallExpression(node)) return `${dotted(node.expression)}()`;
  return "?";
}
