import type { AlertChanged, AlertDocument, AlertList, AlertRow, AlertTested } from "../../api.ts";
import { ago, type Cell, duration, lines, type Page, remark, table } from "../page.ts";

const TONES = { new: "dim", ok: "ok", failing: "bad" } as const;

export function alertsPage({ alerts, conditions, copy }: AlertList, now: number): Page {
  return [
    ...(copy
      ? [remark({ text: "the store does not answer: the last copy of this machine", tone: "warn" })]
      : []),
    table(
      "alert",
      ["ALERT", "TO", "FORMAT", "STATE", "LAST", "WAITING", "BY"],
      alerts.map((row) => [
        ...[row.name, row.to, row.format, { text: row.state, tone: TONES[row.state] }],
        ...[ago(row.delivery?.at, now), String(row.waiting), row.by],
      ]),
      { empty: "no alerts; add one: ployzctl alert add NAME --to URL", drop: ["BY", "FORMAT", "WAITING"] },
    ),
    ...failures(alerts),
    ...conditionBlocks(conditions, now),
  ];
}

export const alertPage = (alert: AlertDocument, now: number): Page =>
  alertsPage({ kind: "alerts", alerts: [alert], conditions: alert.conditions }, now);

const failures = (alerts: readonly AlertRow[]): Page =>
  alerts.flatMap(({ name, delivery }) =>
    delivery?.error === undefined
      ? []
      : [
          lines({
            text: `${name}: ${delivery.failures === 1 ? "the last try failed" : `the last ${delivery.failures} tries failed`}, of ${delivery.machine}: ${delivery.error}`,
            tone: "bad",
          }),
        ],
  );

const conditionBlocks = (conditions: AlertList["conditions"], now: number): Page =>
  conditions.length === 0
    ? []
    : [
        table(
          "condition",
          ["CONDITION", "SINCE", "MESSAGE"],
          conditions.map(({ code, since, message }): Cell[] => [
            ...[{ text: code, tone: "warn" as const }, ago(since, now), message],
          ]),
          { empty: "" },
        ),
      ];

export const alertChangedPage = ({ kind, name, changed }: AlertChanged): Page => [
  lines(
    kind === "alert-removed"
      ? changed
        ? `removed the alert ${name}`
        : `there was no alert ${name}`
      : { text: changed ? `set the alert ${name}` : `the alert ${name} is already so`, tone: "ok" },
  ),
];

export const alertTestedPage = ({ name, ms }: AlertTested): Page => [
  lines({ text: `${name} took a test message in ${duration(ms)}`, tone: "ok" }),
];
