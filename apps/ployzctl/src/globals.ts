import type { Option } from "./command.ts";

/** Understood before and after every command. */
export const GLOBAL_OPTIONS = {
  json: { type: "flag", summary: "Print one JSON document on stdout" },
  events: { type: "flag", summary: "With --json: progress as NDJSON on stderr" },
  plain: { type: "flag", summary: "Print tab-separated text for programs" },
  output: {
    type: "text",
    short: "o",
    choices: ["wide"],
    summary: "Show all columns of tables, also on a narrow terminal",
  },
  quiet: { type: "flag", short: "q", summary: "Print no progress and no remarks" },
  config: {
    type: "text",
    value: "PATH",
    source: "file",
    summary: "The daemon's configuration file (PLOYZ_CONFIG)",
  },
  socket: { type: "text", value: "PATH", source: "file", summary: "The daemon's socket (PLOYZ_SOCKET)" },
  "data-dir": {
    type: "text",
    value: "PATH",
    source: "file",
    summary: "The daemon's data folder (PLOYZ_DATA_DIR)",
  },
  host: {
    type: "text",
    short: "H",
    value: "USER@MACHINE",
    summary: "Use that machine's daemon, over SSH (PLOYZ_HOST)",
  },
  context: {
    type: "text",
    value: "NAME",
    source: "context",
    summary: "Use that context's cluster, or local (PLOYZ_CONTEXT)",
  },
  timeout: { type: "text", value: "TIME", summary: "Stop waiting after this long, e.g. 500ms, 30s, 5m" },
  "no-color": { type: "flag", summary: "Print without colour (NO_COLOR)" },
  help: { type: "flag", short: "h", summary: "Show help for the command" },
} as const satisfies Readonly<Record<string, Option>>;
