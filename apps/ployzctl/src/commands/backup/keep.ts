import type { Input, Option } from "../../command.ts";
import { usage } from "../../errors.ts";

const RULES = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;
const MOST = 1000;

/** Flags of a rule about which backups stay. */
export const KEEP: Readonly<Record<string, Option>> = Object.fromEntries(
  (
    [
      ["last", "The newest N stay"],
      ["hourly", "The newest of each of the last N hours stays"],
      ["daily", "The newest of each of the last N days stays"],
      ["weekly", "The newest of each of the last N weeks stays"],
      ["monthly", "The newest of each of the last N months stays"],
      ["yearly", "The newest of each of the last N years stays"],
    ] as const
  ).map(([rule, summary]): [string, Option] => [
    `keep-${rule}`,
    { type: "number", value: "N", summary, sets: ["keep"] },
  ]),
);

/** The rule that these flags give; without any of them, it is empty. @throws PloyzError `invalid_input`. */
export const keepOf = (input: Input): Partial<Record<(typeof RULES)[number], number>> =>
  Object.fromEntries(
    RULES.flatMap((rule) => {
      const count = input.number(`keep-${rule}`);
      if (count === undefined) return [];
      if (!Number.isInteger(count) || count < 0 || count > MOST)
        throw usage(`keep-${rule}: must be a whole number up to ${MOST}`);
      return [[rule, count]];
    }),
  );
