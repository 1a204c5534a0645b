import type { Writer } from "../terminal.ts";

/** `auto`: on a terminal. */
export type Color = "never" | "auto" | "always";

export interface Mode {
  readonly json: boolean;
  readonly plain: boolean;
  readonly color: Color;
  readonly quiet: boolean;
  /** Tables with all columns, also on a narrow terminal. */
  readonly wide: boolean;
}

export const isColored = ({ color }: Pick<Mode, "color">, writer: Writer): boolean =>
  color === "always" || (color === "auto" && writer.tty);
