import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface Window {
  readonly first: number;
  readonly last: number;
}

/** The rows that are in sight, and some on both sides. Pure. */
export function rowsInSight(of: {
  readonly scrolled: number;
  readonly height: number;
  readonly row: number;
  readonly count: number;
}): Window {
  const SPARE = 8;
  const first = Math.max(0, Math.floor(of.scrolled / of.row) - SPARE);
  return { first, last: Math.min(of.count, Math.ceil((of.scrolled + of.height) / of.row) + SPARE) };
}

/**
 * A list of any length: only the rows in sight are drawn, each of the height that the style gives to `--row`. `stick`: it stays at its end
 * while it grows, unless it was scrolled up.
 */
export function LongList<T>({
  items,
  keyOf,
  draw,
  label,
  kind,
  stick = false,
}: {
  readonly items: readonly T[];
  readonly keyOf: (item: T, index: number) => string;
  readonly draw: (item: T) => ComponentChildren;
  readonly label: string;
  /** The class that gives `--row`. */
  readonly kind: string;
  readonly stick?: boolean;
}) {
  const box = useRef<HTMLUListElement>(null);
  const atEnd = useRef(true);
  const [sight, setSight] = useState({ scrolled: 0, height: 0, row: 44 });
  const measure = () => {
    const element = box.current;
    if (element === null) return;
    atEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - 4;
    const row = Number.parseFloat(getComputedStyle(element).getPropertyValue("--row")) || 44;
    setSight({ scrolled: element.scrollTop, height: element.clientHeight, row });
  };
  useLayoutEffect(() => {
    measure();
    const watch = new ResizeObserver(measure);
    if (box.current !== null) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = box.current;
    if (stick && atEnd.current && element !== null) element.scrollTop = element.scrollHeight;
  }, [stick, items]);
  const { first, last } = rowsInSight({ ...sight, count: items.length });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard
    <ul ref={box} class={`long ${kind}`} aria-label={label} tabIndex={0} onScroll={measure}>
      <li class="space" aria-hidden="true" style={{ height: `${first * sight.row}px` }} />
      {items.slice(first, last).map((item, index) => (
        <li
          class="row"
          key={keyOf(item, first + index)}
          aria-setsize={items.length}
          aria-posinset={first + index + 1}
        >
          {draw(item)}
        </li>
      ))}
      <li class="space" aria-hidden="true" style={{ height: `${(items.length - last) * sight.row}px` }} />
    </ul>
  );
}
