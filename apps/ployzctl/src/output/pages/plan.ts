import type { DeploySummary } from "@ployz/primitives";
import type { Json, PlanView } from "../../api.ts";
import { type Cell, lines, type Page } from "../page.ts";
import { routeText } from "./namespaces.ts";

/** A plan as a diff: `+` comes, `-` goes, `~` changes. */
export function planPage({ changes, summary, warnings, prepare, settle }: PlanView): Page {
  const told = changeLines(summary);
  const steps = [...prepare, ...settle];
  return [
    lines(
      ...told,
      ...(changes
        ? [`${steps.length} steps; nothing was changed yet`]
        : [{ text: "nothing to change", tone: "ok" } as const]),
      ...(told.length === 0 && changes
        ? steps.map(({ title, machine }) => `  ${title}${machine === undefined ? "" : ` [${machine}]`}`)
        : []),
      ...warnings.map((text): Cell => ({ text: `warning: ${text}`, tone: "warn" })),
    ),
  ];
}

const MARKS = { add: "+", change: "~", remove: "-", repair: "~", unchanged: " " } as const;
const TONES = { "+": "ok", "~": "warn", "-": "bad", " ": "dim" } as const;

/** The lines of a deploy's summary; none for another primitive's. */
export function changeLines(summary: Json): readonly Cell[] {
  if (!isDeploy(summary)) return [];
  const { services, jobs, routes } = summary;
  const mark = (sign: keyof typeof TONES, text: string): Cell => ({
    text: `${sign} ${text}`,
    tone: TONES[sign],
  });
  return [
    ...services.flatMap(({ name, change, fields, instances }) => [
      mark(
        MARKS[change],
        `service ${name}${change === "unchanged" || change === "repair" ? ` (${change})` : ""}`,
      ),
      ...(change === "change"
        ? fields.map(({ field, from, to }) => `    ${field}: ${shown(from)} -> ${shown(to)}`)
        : []),
      ...instances
        .filter(({ action }) => action !== "keep")
        .map(({ slot, machine, action, why }) =>
          mark(
            action === "start" ? "+" : "-",
            `  ${action} ${name}.${slot} on ${machine}${why === undefined ? "" : ` (${why})`}`,
          ),
        ),
    ]),
    ...jobs.map(({ name, action, machine }) =>
      action === "run"
        ? mark("+", `job ${name}: runs on ${machine ?? "?"}`)
        : mark(" ", `job ${name} has run already`),
    ),
    ...routes.added.map((route) => mark("+", `route ${routeText(route)} -> ${route.service}:${route.port}`)),
    ...routes.removed.map((route) =>
      mark("-", `route ${routeText(route)} -> ${route.service}:${route.port}`),
    ),
  ];
}

function isDeploy(value: unknown): value is DeploySummary {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "deploy";
}

/** Values of environment variables are not in a summary at all. */
const shown = (value: Json | undefined): string =>
  value === undefined ? "…" : JSON.stringify(value).slice(0, 80);
