import type { Refusal } from "../error-codes.ts";
import { didYouMean } from "./did-you-mean.ts";

const CODES = {
  namespace: { code: "no_such_namespace" },
  service: { code: "no_such_service" },
  volume: { code: "no_such_volume" },
  job: { code: "no_such_service" },
  machine: { code: "no_such_machine" },
} as const;

/** That nothing has this name, with the nearest name that something has. `of`: the namespace of a service or a volume. */
export function unknownName(
  what: keyof typeof CODES,
  name: string,
  known: readonly string[],
  of?: string,
): Refusal {
  const near = didYouMean(name, known);
  const list = [...new Set(known)].sort();
  const command = what === "service" ? "ps" : what === "job" ? "show" : `${what} ls`;
  return {
    ...CODES[what],
    message: of === undefined ? `there is no ${what} ${name}` : `${of} has no ${what} ${name}`,
    hint:
      near !== undefined
        ? `did you mean ${near}?`
        : list.length > 0 && list.length <= 20
          ? `${of === undefined ? "there are" : "it has"} ${list.join(", ")}`
          : `ployzctl ${command}${of === undefined ? "" : ` ${of}`}`,
  };
}
