import { type Curve, growthOf } from "./curve.ts";

/** A table in Markdown: a row for each curve, with values that missed its target in bold. */
export function table(curves: readonly Curve[], sizes: readonly number[]): string {
  const rows = curves.map((curve) => {
    const cells = sizes.map((size) => {
      const point = curve.points.find(({ machines }) => machines === size);
      if (point === undefined) return "";
      const text = number(point.value);
      return curve.target !== undefined && point.value > curve.target ? `**${text}**` : text;
    });
    const growth = growthOf(curve);
    return line([
      `${curve.name}, ${curve.unit}`,
      ...cells,
      growth === undefined ? "" : growth.toFixed(1),
      curve.target === undefined ? "" : String(curve.target),
    ]);
  });
  return [
    line(["", ...sizes.map(String), "growth", "target"]),
    `|${"---|".repeat(sizes.length + 3)}`,
    ...rows,
  ].join("\n");
}

const line = (cells: readonly string[]) =>
  `|${cells.map((cell) => (cell === "" ? " " : ` ${cell} `)).join("|")}|`;

const number = (value: number) =>
  value >= 100 ? value.toFixed(0) : value >= 0.1 || value === 0 ? value.toFixed(1) : value.toFixed(3);
