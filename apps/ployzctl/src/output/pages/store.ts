import type { StoreMoved, StorePlan, StoreRecovery, StoreStatus } from "../../api.ts";
import type { StoreSnapshot } from "../../documents.ts";
import { bytes, type Cell, duration, lines, type Page, remark, type Tone, table, textOf } from "../page.ts";

const TONES: Readonly<Record<string, Tone>> = {
  ...{ open: "ok", leader: "ok", follower: "ok", alone: "ok" },
  ...{ behind: "warn", fenced: "warn", down: "bad", "no-quorum": "bad", unreachable: "bad" },
};
const toned = (text: string): Cell => ({ text, tone: TONES[text] ?? "dim" });

const STATES: Readonly<Record<StoreStatus["state"], string>> = {
  open: "takes writes",
  fenced: "takes no writes: it is being moved, or was left in the middle",
  "no-quorum": "takes no writes: too few of its machines answer; what runs goes on",
  unreachable: "does not answer; what runs goes on",
};

export function storePage(status: StoreStatus): Page {
  const { generation, quorum, machines, streams, views, silent, unfinished } = status;
  return [
    lines(
      {
        text: `generation ${generation}, ${STATES[status.state]}`,
        tone: status.state === "open" ? "strong" : "bad",
      },
      `${quorum.up} of ${quorum.size} store machines answer, ${quorum.needed} must`,
      ...unfinished.map(
        ({ id, decided }): Cell => ({
          text: `unfinished: re-founding ${id} ${decided ? "has begun to take over" : "is not decided"}; run the same command again, or any machine storage command`,
          tone: "warn",
        }),
      ),
    ),
    table(
      "server",
      ["MACHINE", "SERVER", "STATE", "NATS"],
      machines.map(({ id, server, state, version, error }) => [
        id,
        server || "-",
        toned(state),
        version ?? error?.message ?? "-",
      ]),
      "no machine is known to hold it",
    ),
    table(
      "stream",
      ["STREAM", "MESSAGES", "SIZE", "LAST", "LEADER"],
      streams.map(({ name, messages, bytes: size, lastSequence, leader }) => [
        name,
        String(messages),
        bytes(size),
        String(lastSequence),
        leader ?? "-",
      ]),
      "the store does not answer",
    ),
    table(
      "view",
      ["KNOWN ON", "GENERATION", "COMMITS TO", "FACTS TO", "ON DISK"],
      views.map((view) => [
        view.machine,
        String(view.generation),
        String(view.commits),
        String(view.facts),
        view.kept.map((one) => `${one.generation} ${one.state}`).join(", ") || "-",
      ]),
      "no machine answers",
    ),
    ...(silent.length > 0 ? [lines({ text: `no answer from ${silent.join(", ")}`, tone: "bad" })] : []),
  ];
}

function recoveryLines({ from, commits, facts, namespaces, lost, views }: StoreRecovery): readonly Cell[] {
  return [
    `${from === undefined ? "from the backup" : `from the mirror of ${from}`}: commits up to ${commits}, facts up to ${facts}`,
    ...(namespaces.length > 0 ? [`namespaces: ${namespaces.join(", ")}`] : []),
    ...lost.map((what): Cell => ({ text: `lost: ${what}`, tone: "bad" })),
    ...views.map(
      (view) =>
        `${view.machine} has followed generation ${view.generation} to commits ${view.commits}, facts ${view.facts}`,
    ),
  ];
}

const planCells = (plan: StorePlan): readonly Cell[] => {
  const { from, to, changes, unfinished, warnings, recovery } = plan;
  const where = (machines: readonly string[]) => machines.join(", ") || "nowhere";
  return [
    ...unfinished.map(({ id, decided }) => `re-founding ${id} is ${decided ? "finished" : "given up"} first`),
    changes
      ? `the store moves from ${where(from.machines)} (generation ${from.generation}) to ${where(to.machines)} (generation ${to.generation})`
      : `no change: the store is on ${where(from.machines)} (generation ${from.generation})`,
    ...(recovery === undefined ? [] : recoveryLines(recovery)),
    ...warnings.map((text): Cell => ({ text: `warning: ${text}`, tone: "warn" })),
  ];
};

export const storePlanPage = (plan: StorePlan): Page => [lines(...planCells(plan))];
export const storePlanText = (plan: StorePlan): string => planCells(plan).map(textOf).join("\n");

export function movedPage(moved: StoreMoved): Page {
  const { changed, machines, generation, pauseMs, notOpen, notRetired, unaware, recovery } = moved;
  const on = `${machines.join(", ")} (generation ${generation})`;
  const some = (names: readonly string[], text: string): readonly Cell[] =>
    names.length === 0 ? [] : [{ text: `${names.join(", ")} ${text}`, tone: "warn" }];
  return [
    changed
      ? lines(
          { text: `the store is on ${on}`, tone: "ok" },
          `no write was taken for ${duration(pauseMs)}; nothing else stopped`,
          ...(recovery === undefined ? [] : recoveryLines(recovery)),
          ...some(notOpen, "did not open its server yet: run the same command again"),
          ...some(notRetired, "was away: what it holds of the old store never takes a write again"),
          ...some(unaware, "could not be told, and will ask the others"),
        )
      : lines(`no change: the store is on ${on}`),
  ];
}

export const snapshotPage = ({ file, bytes: size, encrypted }: StoreSnapshot): Page => [
  lines(`${file}: ${bytes(size)}, verified${encrypted ? ", encrypted" : ""}`),
  ...(encrypted
    ? []
    : [
        remark({
          text: "not encrypted, and it holds the cluster's secrets: keep it where nobody reads it, or use --passphrase-file",
          tone: "warn",
        }),
      ]),
];
