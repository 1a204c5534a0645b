import type { Comparison } from "./measure.ts";

const digits = (value: number): string => {
  if (!Number.isFinite(value)) return "none";
  const text = value >= 1000 ? Math.round(value).toString() : value.toPrecision(3);
  return String(Number(text));
};

/** One table per metric: ratios first. */
export function markdown(comparison: Comparison): string {
  const { title, baseline, rounds, rows, missing, notes, drift } = comparison;
  const metrics = [...new Map(rows.map(({ metric, unit }) => [metric, unit])).entries()];
  const tables = metrics.flatMap(([metric, unit]) => [
    `| ${metric} | against ${baseline} | median, ${unit} | range |`,
    "|---|---|---|---|",
    ...rows
      .filter((row) => row.metric === metric)
      .map(
        ({ variant, ratio, median, min, max }) =>
          `| ${variant} | ${ratio === undefined ? "1" : `**${ratio.toFixed(2)}**`} | ${digits(median)} | ${digits(min)} to ${digits(max)} |`,
      ),
    "",
  ]);
  return [
    `## ${title}`,
    "",
    ...tables,
    `${rounds} interleaved rounds; the machine's own speed varied by ${((drift - 1) * 100).toFixed(0)} % between them.`,
    ...missing.map((what) => `Not compared: ${what}.`),
    ...notes,
    "",
  ].join("\n");
}
