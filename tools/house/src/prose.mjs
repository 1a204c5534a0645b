import ts from "typescript";
import { sourceOf } from "./syntax.mjs";

/**
 * @typedef {readonly [start: number, end: number]} Range
 */

const isCode = /\.(ts|mts|mjs|js)$/;

/**
 * The words of a file at their offsets in it: of code only comments and string literals, of other files everything. White space stands
 * for line breaks with their comment marks, NUL for code, and letters for what a template inserts.
 * @param {import("./repository.mjs").SourceFile} file
 */
export function proseOf(file) {
  const text = file.text.replace(/\n[ \t]*(\*(?!\/)|\/\/|#+|>)?/g, (found) => " ".repeat(found.length));
  if (!isCode.test(file.path)) return text;
  const { comments, literals } = rangesOf(sourceOf(file));
  const prose = Array(text.length).fill("\0");
  /** @param {Range} range @param {(at: number) => string} at */
  const fill = ([start, end], at) => {
    for (let index = start; index < end; index += 1) prose[index] = at(index);
  };
  comments.forEach((range, index) => {
    fill(range, (at) => text[at] ?? "");
    const next = comments[index + 1];
    // Line comments that follow each other are one text.
    if (next !== undefined && text.slice(range[1], next[0]).trim() === "")
      fill([range[1], next[0]], () => " ");
  });
  for (const { range, inserted } of literals) fill(range, (at) => (inserted ? "x" : (text[at] ?? "")));
  return prose.join("").replace(/(?<=[\s\0])\/\/|\/\*\*?/g, (found) => " ".repeat(found.length));
}

/** @param {ts.SourceFile} source */
function rangesOf(source) {
  /** @type {Map<number, Range>} */
  const comments = new Map();
  /** @type {{ range: Range, inserted: boolean }[]} Outer ones first: a literal within an inserted expression is filled in again. */
  const literals = [];
  /** @param {readonly ts.CommentRange[] | undefined} ranges */
  const collect = (ranges) => {
    for (const { pos, end } of ranges ?? []) comments.set(pos, [pos, end]);
  };
  /** @param {ts.Node} node */
  const visit = (node) => {
    collect(ts.getLeadingCommentRanges(source.text, node.getFullStart()));
    collect(ts.getTrailingCommentRanges(source.text, node.getEnd()));
    if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) {
      literals.push({ range: [node.getStart(source), node.getEnd()], inserted: false });
    }
    if (ts.isTemplateExpression(node)) {
      for (const { expression } of node.templateSpans) {
        literals.push({ range: [expression.getFullStart(), expression.getEnd()], inserted: true });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { comments: [...comments.values()].sort((a, b) => a[0] - b[0]), literals };
}
