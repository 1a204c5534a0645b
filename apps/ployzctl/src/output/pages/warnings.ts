import type { ClusterStatus } from "../../api.ts";
import { type Cell, lines, type Page, remark } from "../page.ts";

/** Each warning with its hint below it. */
export const warningBlocks = (warnings: ClusterStatus["warnings"] = []): Page =>
  warnings.length === 0
    ? []
    : [
        remark(""),
        lines(
          ...warnings.flatMap(({ message, hint }): Cell[] => [
            { text: `warning: ${message}`, tone: "warn" },
            `  ${hint}`,
          ]),
        ),
      ];
