import type { StandbyList, StandbyRow } from "../../api.ts";
import { bytes, type Cell, duration, type Page, table } from "../page.ts";
import { runState, WAITS } from "./schedules.ts";

const STATES: Readonly<Record<StandbyRow["state"], Cell>> = {
  current: { text: "current", tone: "ok" },
  old: { text: "old", tone: "bad" },
  none: { text: "no copy yet", tone: "warn" },
  unknown: { text: "unknown", tone: "warn" },
  home: { text: "is the volume", tone: "dim" },
};

export const standbysPage = ({ standbys }: StandbyList, now: number): Page => [
  table(
    "standby",
    ["VOLUME", "ON", "STANDBY", "STATE", "BEHIND", "BYTES", "EVERY", "LAST", "NEXT"],
    standbys.map((row): Cell[] => [
      `${row.namespace}/${row.volume}`,
      row.source,
      row.machine,
      STATES[row.state],
      row.lagMs === undefined ? "-" : duration(row.lagMs),
      row.lagBytes === undefined ? "-" : bytes(row.lagBytes),
      duration(row.everyMs),
      lastOf(row),
      row.next === undefined ? "-" : `in ${duration(Math.max(0, Date.parse(row.next) - now))}`,
    ]),
    {
      empty: "no standbys: ployzctl volume standby add NAMESPACE/VOLUME --to MACHINE",
      drop: ["EVERY", "NEXT"],
    },
  ),
];

function lastOf({ last, bytes: sent }: StandbyRow): Cell {
  if (last === undefined) return "-";
  const { state = "running", error } = last;
  if (state === "done") return { text: sent === undefined ? "done" : `done, ${bytes(sent)}`, tone: "ok" };
  const waits = WAITS.has(state);
  const text = runState(last);
  return { text: error === undefined ? text : `${text}: ${error.message}`, tone: waits ? "dim" : "bad" };
}
