import type { Option } from "./command.ts";

/** Understood before and after every command. */
export const GLOBAL_OPTIONS = {
  json: { type: "flag", summary: "One JSON document on stdout, nothing else there" },
  events: { type: "flag", summary: "With --json: progress as NDJSON on stderr" },
  plain: { type: "flag", summary: "Tab-separated, no colour, no table frames" },
  quiet: { type: "flag", short: "q", summary: "No progress and no remarks" },
  config: { type: "text", value: "PATH", summary: "The daemon's configuration file (PLOYZ_CONFIG)" },
  socket: { type: "text", value: "PATH", summary: "The daemon's socket (PLOYZ_SOCKET)" },
  "data-dir": { type: "text", value: "PATH", summary: "The daemon's data folder (PLOYZ_DATA_DIR)" },
  host: {
    type: "text",
    short: "H",
    value: "USER@MACHINE",
    summary: "Ask that machine's daemon, through SSH (PLOYZ_HOST)",
  },
  timeout: { type: "text", value: "TIME", summary: "Give up after this long, e.g. 500ms, 30s, 5m" },
  "no-color": { type: "flag", summary: "No colour (NO_COLOR)" },
  help: { type: "flag", short: "h", summary: "What the command does and takes" },
} as const satisfies Readonly<Record<string, Option>>;
