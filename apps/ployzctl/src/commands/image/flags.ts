import type { Option } from "../../command.ts";

/** Which machines get an image. */
export const TO: Readonly<Record<string, Option>> = {
  to: {
    type: "text",
    value: "MACHINES",
    source: "machine",
    summary: "The machines, separated by commas",
  },
  all: { type: "flag", summary: "All machines that receive workloads" },
};
