import type { ErrorBody } from "@ployz/errors";
import type { Cell } from "./page.ts";

/** `error: …`, its log lines, and `hint: …`. */
export function errorCells({ message, hint, details }: ErrorBody, withHint = true): readonly Cell[] {
  return [
    { text: `error: ${message}`, tone: "bad" },
    ...logLines(details).map((line): Cell => ({ text: `    ${line}`, tone: "dim" })),
    ...(hint === undefined || !withHint ? [] : [`hint: ${hint}`]),
  ];
}

/** The last log lines of a failed instance, if the error has them. */
function logLines(details: ErrorBody["details"]): readonly string[] {
  if (typeof details !== "object" || details === null || !("logs" in details)) return [];
  return Array.isArray(details.logs) ? details.logs.map(String) : [];
}
