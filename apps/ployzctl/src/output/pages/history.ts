import type { Changed, CommitDocument, CommitHistory, HistoryRow } from "../../api.ts";
import { ago, type Cell, lines, type Page, table } from "../page.ts";
import { routeText, serviceTable, targetText } from "./namespaces.ts";
import { volumeOrigin } from "./volumes.ts";

export function historyPage({ commits }: CommitHistory, now: number): Page {
  return [
    table(
      "commit",
      ["REVISION", "WHEN", "BY", "PRIMITIVE", "OPERATION", "CHANGED", "FROM"],
      commits.map((row): Cell[] => [
        String(row.revision),
        ago(row.at, now),
        row.by,
        row.primitive,
        row.operation,
        changedText(row),
        lineageText(row.lineage),
      ]),
      { empty: "no commits", drop: ["OPERATION", "FROM"] },
    ),
  ];
}

/** `+web ~api -old, volumes +pgdata, routes +1 -2`; a dash when only instances changed. */
function changedText({ changes: { services, jobs, volumes, routes }, removed }: HistoryRow): Cell {
  if (removed) return { text: "removed", tone: "bad" };
  const parts = [
    marks("", services),
    marks("jobs ", jobs),
    marks("volumes ", volumes),
    ...(routes.added + routes.removed === 0
      ? []
      : [
          `routes${routes.added > 0 ? ` +${routes.added}` : ""}${routes.removed > 0 ? ` -${routes.removed}` : ""}`,
        ]),
  ];
  return parts.filter((part) => part !== "").join(", ") || "instances";
}

function marks(what: string, { added, changed, removed }: Changed): string {
  const all = [
    ...added.map((name) => `+${name}`),
    ...changed.map((name) => `~${name}`),
    ...removed.map((name) => `-${name}`),
  ];
  return all.length === 0 ? "" : `${what}${all.join(" ")}`;
}

export const lineageText = (lineage: HistoryRow["lineage"]): string =>
  lineage === undefined ? "-" : `${lineage.kind} of ${lineage.from}@${lineage.revision}`;

export function commitPage({ namespace, revision, commit }: CommitDocument): Page {
  const { at, by, primitive, operation, lineage, removed, volumes, routes, jobs } = commit;
  return [
    lines(
      { text: `${namespace}@${revision}`, tone: "strong" },
      `${primitive} by ${by} at ${at}, operation ${operation}`,
      ...(lineage === undefined ? [] : [lineageText(lineage)]),
      ...(removed ? [{ text: "the namespace was removed", tone: "bad" } as const] : []),
    ),
    serviceTable(commit),
    ...(Object.keys(jobs).length === 0
      ? []
      : [
          table(
            "job",
            ["JOB", "IMAGE"],
            Object.entries(jobs).map(([name, { spec }]) => [
              name,
              spec.image?.ref ?? spec.bundle?.digest ?? "?",
            ]),
            { empty: "no jobs" },
          ),
        ]),
    ...(volumes.length === 0
      ? []
      : [
          table(
            "volume",
            ["VOLUME", "MACHINE", "ID", "FROM"],
            volumes.map((volume) => [volume.name, volume.machine, volume.id, volumeOrigin(volume.origin)]),
            { empty: "no volumes", drop: ["ID"] },
          ),
        ]),
    ...(routes.length === 0
      ? []
      : [
          table(
            "route",
            ["ROUTE", "TARGET"],
            routes.map((route) => [routeText(route), targetText(route)]),
            { empty: "no routes" },
          ),
        ]),
  ];
}
