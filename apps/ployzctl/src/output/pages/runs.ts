import type { RunList } from "../../api.ts";
import { ago, type Page, remark, table } from "../page.ts";

export const runState = ({
  state,
  keep,
  exitCode,
}: {
  readonly state: string;
  readonly keep?: true | undefined;
  readonly exitCode?: number | undefined;
}): string =>
  state === "ended" && keep === true ? `kept${exitCode === undefined ? "" : `, exit ${exitCode}`}` : state;

export const runsPage = ({ runs, unreachable }: RunList, now: number): Page => [
  table(
    "run",
    ["RUN", "MACHINE", "STATE", "STARTED", "BY", "COMMAND"],
    runs.map(({ id, machine, state, at, by, argv, keep, exitCode }) => [
      id,
      machine,
      { text: runState({ state, keep, exitCode }), tone: state === "running" ? "ok" : "warn" },
      ago(at, now),
      by,
      argv === undefined ? "-" : argv.join(" ").slice(0, 60),
    ]),
    { empty: "no runs; start one: ployzctl run NAMESPACE/SERVICE -- COMMAND", drop: ["BY", "STARTED"] },
  ),
  ...unreachable.map(({ machine, error }) => remark(`no answer from ${machine}: ${error.message}`)),
];
