import type { Option } from "./command.ts";

/** Of commands that change something. */
export const PREVIEW = {
  preview: { type: "flag", short: "n", summary: "Show what would change, and change nothing" },
} as const satisfies Readonly<Record<string, Option>>;

/** Of commands that ask first. */
export const YES = {
  yes: { type: "flag", short: "y", summary: "Do not ask" },
} as const satisfies Readonly<Record<string, Option>>;
