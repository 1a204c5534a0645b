/** The argument of commands for one volume. */
export const volume = {
  name: "volume",
  summary: "NAMESPACE/VOLUME",
  required: true,
  source: "volume",
  sets: ["namespace"],
} as const;
