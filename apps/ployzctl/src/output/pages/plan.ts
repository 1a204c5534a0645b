import type { ChangeSummary, FieldChange, ServiceSummary, VolumeSummary } from "@ployz/primitives";
import type { Json, PlanView } from "../../api.ts";

import { bytes, type Cell, duration, lines, type Page, textOf } from "../page.ts";
import { backupLines } from "./backups.ts";
import { certificateLines } from "./certificates.ts";
import { cleaningLines } from "./image-cleaning.ts";
import { membershipLines } from "./membership.ts";
import { routeText, targetText } from "./namespaces.ts";
import { scheduleLines } from "./schedules.ts";

/** The same as plain text, for a question. */
export const planText = (plan: PlanView): string =>
  planPage(plan)
    .flatMap((block) => (block.kind === "lines" ? block.lines.map(textOf) : []))
    .join("\n");

/** A plan as a diff: `+` adds, `-` removes, `~` changes. */
export function planPage({
  primitive,
  changes,
  summary,
  warnings,
  unconfirmed = [],
  prepared,
  prepare,
  settle,
}: PlanView): Page {
  const summarized = summaryLines(summary);
  const steps = [...prepare, ...settle];
  return [
    lines(
      ...summarized,
      ...(changes
        ? [`${steps.length} step${steps.length === 1 ? "" : "s"}; nothing has changed yet`]
        : [{ text: "nothing to change", tone: "ok" } as const]),
      ...(summarized.length === 0 && changes
        ? steps.map(({ title, machine }) => `  ${title}${machine === undefined ? "" : ` [${machine}]`}`)
        : []),
      ...warnings.map((text): Cell => ({ text: `warning: ${text}`, tone: "warn" })),
      ...unconfirmed.flatMap(({ message, hint }): Cell[] => [
        { text: `needs confirmation: ${message}`, tone: "bad" },
        ...(hint === undefined ? [] : [`  ${hint}`]),
      ]),
      ...(prepared === undefined
        ? []
        : [
            `stored until ${prepared.expiresAt}; apply it: ployzctl ${primitive} apply-prepared ${prepared.id}`,
          ]),
    ),
  ];
}

const MARKS = { add: "+", change: "~", remove: "-", repair: "~", unchanged: " " } as const;
/** What the mark does not express. */
function remark({ change, instances, stopFirst }: ServiceSummary): string {
  if (change === "unchanged") return " (unchanged)";
  if (change !== "repair") return stopFirst ? " (stops first)" : "";
  const [starts, stops] = ["start", "stop"].map((wanted) =>
    instances.some(({ action }) => action === wanted),
  );
  if (starts === stops) return ` (instances replaced${stopFirst ? "; each stops first" : ""})`;
  return starts ? " (started)" : " (stopped)";
}
const WHY: Readonly<Record<NonNullable<ServiceSummary["instances"][number]["why"]>, string>> = {
  ...{ new: "new", changed: "changed", dead: "dead", moved: "moved", restart: "restart" },
  data: "on other data",
};
const VOLUME_MARKS: { readonly [action in VolumeSummary["action"]]?: keyof typeof TONES } = {
  create: "+",
  drop: "-",
  lost: "-",
};
const TONES = { "+": "ok", "~": "warn", "-": "bad", " ": "dim" } as const;

/** The summary of a plan or result; empty for primitives without a page. */
export const summaryLines = (summary: Json): readonly Cell[] => [
  ...changeLines(summary),
  ...membershipLines(summary),
  ...repairLines(summary),
  ...certificateLines(summary),
  ...backupLines(summary),
  ...scheduleLines(summary),
  ...pruneLines(summary),
  ...cleaningLines(summary),
];

/** Of `namespace repair`. */
function repairLines(summary: Json): readonly Cell[] {
  if (!isRepair(summary)) return [];
  const { namespace, unreadable, restored, why } = summary;
  return [
    { text: `- commit ${unreadable} of ${namespace}: ${why}`, tone: "bad" },
    restored === undefined
      ? { text: `+ ${namespace} is a removed namespace`, tone: "ok" }
      : { text: `+ the state of commit ${restored}`, tone: "ok" },
  ];
}

/** Of `namespace prune`. */
function pruneLines(summary: Json): readonly Cell[] {
  if (!isPrune(summary)) return [];
  return [
    ...summary.instances.map(
      ({ id, machine, operation }): Cell => ({
        text: `- instance ${id} on ${machine}, of operation ${operation}`,
        tone: "bad",
      }),
    ),
    ...summary.volumes.map(
      ({ id, machine, usedBytes }): Cell => ({
        text: `- volume ${id} on ${machine} (${bytes(usedBytes)}) is retired; its data is kept for the retention time`,
        tone: "bad",
      }),
    ),
  ];
}

type Prune = {
  readonly instances: readonly {
    readonly id: string;
    readonly machine: string;
    readonly operation: string;
  }[];
  readonly volumes: readonly { readonly id: string; readonly machine: string; readonly usedBytes: number }[];
};
const isPrune = (value: unknown): value is Prune =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "namespace-prune";

type Repair = {
  readonly namespace: string;
  readonly unreadable: number;
  readonly restored?: number;
  readonly why: string;
};
const isRepair = (value: unknown): value is Repair =>
  typeof value === "object" && value !== null && "unreadable" in value;

/** The summary of a namespace's change; empty for other primitives. */
function changeLines(summary: Json): readonly Cell[] {
  if (!isChange(summary)) return [];
  const { services, jobs, routes, volumes, allowRoutesFrom, certificates = [] } = summary;
  const mark = (sign: keyof typeof TONES, text: string): Cell => ({
    text: `${sign} ${text}`,
    tone: TONES[sign],
  });
  return [
    ...services.flatMap((service) => {
      const { name, change, fields, instances, downtimeMs } = service;
      return [
        mark(MARKS[change], `service ${name}${remark(service)}${downText(downtimeMs)}`),
        ...(change === "change" ? fields.map(fieldText) : []),
        ...instances
          .filter(({ action }) => action !== "keep")
          .map(({ slot, machine, action, why }) =>
            mark(
              action === "start" ? "+" : "-",
              `  ${action} ${name}.${slot} on ${machine}${why === undefined ? "" : ` (${WHY[why]})`}`,
            ),
          ),
      ];
    }),
    ...jobs.map(({ name, action, machine, scheduled }) =>
      action === "run"
        ? mark("+", `job ${name}: runs on ${machine ?? "?"}`)
        : mark(" ", `job ${name} ${scheduled === true ? "runs by its schedule" : "has already run"}`),
    ),
    ...volumes
      .filter(({ action, fields = [] }) => action !== "keep" || fields.length > 0)
      .flatMap((volume) => [
        mark(VOLUME_MARKS[volume.action] ?? "~", volumeText(volume)),
        ...(volume.fields ?? []).map(fieldText),
      ]),
    ...routes.added.map((route) => mark("+", `route ${routeText(route)} -> ${targetText(route)}`)),
    ...routes.removed.map((route) => mark("-", `route ${routeText(route)} -> ${targetText(route)}`)),
    ...certificates.map((host) => mark("+", `certificate ${host}, ordered before the commit`)),
    ...(allowRoutesFrom === undefined
      ? []
      : [
          mark(
            "~",
            `allow_routes_from: ${listText(allowRoutesFrom.from)} -> ${listText(allowRoutesFrom.to)}`,
          ),
        ]),
  ];
}

const listText = (names: readonly string[]): string => names.join(", ") || "none";

const downText = (ms: number | undefined): string => (ms === undefined ? "" : ` (down for ${duration(ms)})`);

function volumeText({ name, action, machine, from, transferBytes, copied, holds }: VolumeSummary): string {
  const data =
    copied !== undefined
      ? ` (copied ${bytes(copied.bytes)}, of which ${bytes(copied.lastBytes)} during the downtime)`
      : transferBytes !== undefined
        ? ` (about ${bytes(transferBytes)} to copy)`
        : "";
  if (action === "copy") return `volume ${name}: from ${from ?? "?"} on ${machine}${data}`;
  if (action === "move") return `volume ${name}: from ${from ?? "?"} to ${machine}${data}`;
  if (action === "takeover")
    return `volume ${name}: the standby on ${machine} becomes the volume${holds === undefined ? "" : `, with what ${from ?? "?"} had before ${holds}`}`;
  if (action === "drop")
    return `volume ${name} on ${machine} is removed; its data is kept for the retention time`;
  if (action === "lost") return `volume ${name} is lost with ${machine}`;
  if (action === "keep") return `volume ${name} on ${machine}`;
  return `volume ${name}: ${action} on ${machine}`;
}

function isChange(value: unknown): value is ChangeSummary {
  return typeof value === "object" && value !== null && "services" in value && "volumes" in value;
}

/** A summary has no values of environment variables. */
function fieldText({ field, from, to }: FieldChange): string {
  if (from === undefined && to === undefined) return `    ${field}: changed`;
  return `    ${field}: ${shown(from)} -> ${shown(to)}`;
}

const shown = (value: Json | undefined): string =>
  value === undefined ? "none" : JSON.stringify(value).slice(0, 80);
