import type { Records } from "../state/records.ts";
import type { Member } from "./member-parts.ts";

/** The facts about alerts that this machine has a copy of. */
export const alertFacts = (mirror: Pick<Records, "facts">): Member["alerts"] => ({
  records: () => mirror.facts("alert").map(({ value }) => value),
  state: () => mirror.facts("alerting")[0]?.value,
});
