import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

const HEIGHT = 72;

/** One measure over time. Its size is fixed from the start: nothing moves when it is drawn. */
export function Chart({
  times,
  values,
  format,
  label,
}: {
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
  readonly format: (value: number) => string;
  readonly label: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const colour = (name: string) => () => getComputedStyle(element).getPropertyValue(name);
    const axis = {
      stroke: colour("--dim"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    const font = "11px system-ui";
    plot.current = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
        axes: [
          { ...axis, font, size: 18, space: 80 },
          { ...axis, font, size: 44, space: 24, values: (_, splits) => splits.map(format) },
        ],
        series: [{}, { stroke: colour("--accent"), width: 1.5, points: { show: false } }],
      },
      [[], []],
      element,
    );
    const watch = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, []);
  useEffect(() => {
    plot.current?.setData([[...times], [...values]]);
  }, [times, values]);
  const last = values.at(-1);
  const now = last === undefined || last === null ? "–" : format(last);
  return (
    <figure class="chart">
      <figcaption>
        {label} <strong>{now}</strong>
      </figcaption>
      <div
        ref={box}
        class="plot"
        role="img"
        aria-label={`${label} over the time that this page is open; now ${now}`}
      />
    </figure>
  );
}
