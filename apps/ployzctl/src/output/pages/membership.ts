import type { EvacuationSummary } from "@ployz/primitives";
import type { Json } from "../../api.ts";
import { bytes, type Cell } from "../page.ts";

/** The `summary` of a plan and `output` of a result that change a machine's membership. */
type MembershipSummary = {
  readonly kind: "machine-drain" | "machine-activate" | "machine-standby" | "machine-label" | "machine-rm";
  readonly machine: string;
  readonly namespaces?: readonly EvacuationSummary[];
  /** Instances and volumes committed to it. */
  readonly here?: readonly string[];
  readonly forced?: boolean;
  readonly already?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly region?: string;
  readonly az?: string;
  readonly kept?: readonly string[];
  /** The store's machines before and after. */
  readonly store?: { readonly from: readonly string[]; readonly to: readonly string[] };
};

/** Empty for the summary of another primitive. */
export function membershipLines(summary: Json): readonly Cell[] {
  if (!isMembership(summary)) return [];
  const { kind, machine, namespaces = [], here = [], forced, kept = [], store } = summary;
  const moves = namespaces.flatMap((one) => evacuated(one, machine));
  const what: Cell =
    kind === "machine-rm"
      ? { text: `- machine ${machine}${forced ? ", by force" : ""}`, tone: "bad" }
      : {
          text: `~ machine ${machine}: ${kind === "machine-label" ? placeOf(summary) : WORDS[kind]}`,
          tone: "warn",
        };
  const stays = kind === "machine-drain" && namespaces.length === 0 ? here : [];
  return [
    what,
    ...(store
      ? [{ text: `  ~ store: ${store.from.join(", ")} -> ${store.to.join(", ")}`, tone: "warn" } as const]
      : []),
    ...moves,
    ...(stays.length > 0 ? [`  stays: ${stays.join(", ")} (--migrate moves it)`] : []),
    ...kept.map((dataset) => `  kept on its disk: ${dataset}`),
  ];
}

const WORDS = {
  "machine-drain": "draining, receives no new workloads",
  "machine-activate": "active, receives workloads",
  "machine-standby": "standby, receives no workloads",
};

/** `az=eu-1, disk=ssd`. */
function placeOf({ region, az, labels = {} }: MembershipSummary): string {
  const all = Object.entries({ region, az, ...labels }).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${value}`],
  );
  return all.join(", ") || "no labels";
}

function evacuated(
  { namespace, instances, volumes, suspended }: EvacuationSummary,
  machine: string,
): readonly Cell[] {
  return [
    ...volumes.map(({ name, to, bytes: size }): Cell => {
      const about = size === undefined ? "" : `, about ${bytes(size)} to copy`;
      return to === undefined
        ? { text: `  - volume ${namespace}/${name} is lost`, tone: "bad" }
        : { text: `  ~ volume ${namespace}/${name}: ${machine} -> ${to}${about}`, tone: "warn" };
    }),
    ...instances.map(({ service, slot, to }): Cell => {
      const name = `${namespace}/${service}.${slot}`;
      return to === undefined
        ? { text: `  - ${name} stops`, tone: "warn" }
        : { text: `  ~ ${name}: ${machine} -> ${to}`, tone: "warn" };
    }),
    ...suspended.map(
      (service): Cell => ({
        text: `  - ${namespace}/${service} stops until it is deployed again, with an empty volume`,
        tone: "bad",
      }),
    ),
  ];
}

const OTHERS = ["machine-rm", "machine-label"];

function isMembership(value: unknown): value is MembershipSummary {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  return typeof value.kind === "string" && (value.kind in WORDS || OTHERS.includes(value.kind));
}
