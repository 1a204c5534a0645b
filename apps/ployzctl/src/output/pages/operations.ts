import type { Api, OperationDetail, OperationResult, OperationSummary } from "../../api.ts";
import { errorCells } from "../error.ts";
import { ago, type Block, type Cell, duration, lines, type Page, type Tone, table } from "../page.ts";
import { summaryLines } from "./plan.ts";

const TONES: Readonly<Record<string, Tone>> = {
  done: "ok",
  running: "warn",
  failed: "bad",
  aborted: "warn",
  interrupted: "bad",
  "cleanup-owed": "bad",
  started: "warn",
  pending: "dim",
  undone: "warn",
  "undo-failed": "bad",
};
/** Primitives that commit a fact: its revision counts other things than `history` does, and tells an operator nothing. */
const COMMITS_FACT = /^(machine-|image-|cert-|job-run$|volume-(run|snapshot|prune|keep)$|namespace-prune$)/;
const commitOf = (primitive: string, revision: number | undefined): string | undefined =>
  revision === undefined || COMMITS_FACT.test(primitive) ? undefined : `revision ${revision}`;

/** Their record is made when the program begins. */
const RECORDED_AT_START = /^(exec|run)$/;

const toned = (state: string): Cell => ({ text: state, tone: TONES[state] ?? "dim" });

export function operationTable(operations: readonly OperationSummary[], now: number, empty: string): Block {
  return table(
    "operation",
    ["OPERATION", "TITLE", "STATE", "STARTED", "TOOK", "ON", "BY"],
    operations.map(({ operation, title, primitive, state, startedAt, endedAt, coordinator, by }) => [
      operation,
      title || primitive,
      toned(state),
      ago(startedAt, now),
      endedAt === undefined || RECORDED_AT_START.test(primitive)
        ? "-"
        : duration(Date.parse(endedAt) - Date.parse(startedAt)),
      coordinator,
      by,
    ]),
    { empty, drop: ["BY", "ON", "TOOK"] },
  );
}

export const operationsPage = (operations: readonly OperationSummary[], now: number): Page => [
  operationTable(operations, now, "no operations yet"),
];

export function detailPage({ summary, steps, owed }: OperationDetail): Page {
  const { operation, primitive, title, state, coordinator, by, startedAt, revision, error } = summary;
  const commit = commitOf(primitive, revision);
  return [
    lines(
      { text: `${operation}  ${title || primitive}`, tone: "strong" },
      toned(state),
      `on ${coordinator} by ${by} at ${startedAt}${revision === undefined ? "" : `, committed${commit === undefined ? "" : ` as ${commit}`}`}`,
      ...(error === undefined ? [] : errorCells(error)),
      ...owed.map(({ step, error: why }): Cell => ({ text: `owed: ${step}: ${why.message}`, tone: "bad" })),
    ),
    table(
      "step",
      ["STEP", "PHASE", "MACHINE", "STATE", "TOOK", "WHY"],
      steps.map(({ title: what, phase, machine, state: at, ms, error: why }) => [
        what,
        phase,
        machine ?? "-",
        toned(at),
        ms === undefined ? "-" : duration(ms),
        why?.message ?? "",
      ]),
      { empty: "no steps", drop: ["PHASE", "TOOK"] },
    ),
  ];
}

/** The result of an operation. */
export function resultPage(result: OperationResult): Page {
  const { operation, primitive, state, changed, revision, output, error, owed, warnings, ms } = result;
  const commit = commitOf(primitive, revision);
  const at = `${commit === undefined ? "" : `${commit}, `}${duration(ms)}`;
  const headline: Cell =
    state === "done"
      ? changed
        ? { text: `done (${at})`, tone: "ok" }
        : { text: "nothing to change", tone: "ok" }
      : state === "aborted"
        ? { text: "aborted and undone: nothing was changed", tone: "warn" }
        : state === "cleanup-owed" && revision !== undefined
          ? {
              text: `committed (${at}), but cleanup is owed: run the same command again to continue it`,
              tone: "bad",
            }
          : {
              text: `${state}, operation ${operation}${revision === undefined ? ": nothing was committed" : ""}`,
              tone: "bad",
            };
  return [
    lines(
      ...(state === "done" && changed ? summaryLines(output) : []),
      headline,
      ...(error === undefined || state === "aborted" ? [] : errorCells(error)),
      ...owed.map(({ step, error: why }): Cell => ({ text: `owed: ${step}: ${why.message}`, tone: "bad" })),
      ...warnings.map((text): Cell => ({ text: `warning: ${text}`, tone: "warn" })),
    ),
  ];
}

/** The result of an abort. An owed step ends by itself when its machine is back, or is given up. */
export function abortPage(document: Api["POST /v1/operations/:id/abort"]["out"]): Page {
  const { operation, state, revision, owed = [], warnings = [] } = document;
  const headline = {
    running: "aborting",
    done: revision === undefined ? "done" : `finished: it had committed (revision ${revision})`,
    failed: "undone",
    aborted: "undone",
    interrupted: "interrupted",
    "cleanup-owed": `${revision === undefined ? "undone" : `committed (revision ${revision})`}, but for the steps still owed`,
  }[state];
  return [
    lines(
      { text: `operation ${operation}: ${headline}`, tone: owed.length > 0 ? "bad" : "ok" },
      ...owed.map(({ step, error: why }): Cell => ({ text: `owed: ${step}: ${why.message}`, tone: "bad" })),
      ...warnings.map((text): Cell => ({ text: `warning: ${text}`, tone: "warn" })),
      ...(owed.length === 0
        ? []
        : [
            `a machine that comes back cleans up by itself; one that is lost: ployzctl machine rm --force`,
            `to declare steps lost: ployzctl ops abort ${operation}${owed.map(({ step }) => ` --give-up '${step}'`).join("")}`,
          ]),
    ),
  ];
}
