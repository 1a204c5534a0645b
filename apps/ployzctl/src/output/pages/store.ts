import type { StoreMoved, StorePlan, StoreRecovery, StoreStatus } from "../../api.ts";
import type { StoreSnapshot } from "../../documents.ts";
import { bytes, type Cell, duration, lines, type Page, remark, type Tone, table, textOf } from "../page.ts";

const TONES: Readonly<Record<string, Tone>> = {
  ...{ open: "ok", leader: "ok", follower: "ok", alone: "ok" },
  ...{ behind: "warn", fenced: "warn", down: "bad", "no-quorum": "bad", unreachable: "bad" },
};
const toned = (text: string): Cell => ({ text, tone: TONES[text] ?? "dim" });

const STATES: Readonly<Record<StoreStatus["state"], string>> = {
  open: "accepts writes",
  fenced: "refuses writes: a move is running or was interrupted",
  "no-quorum": "refuses writes: too few of its machines answer; workloads keep running",
  unreachable: "does not answer; workloads keep running",
};

export function storePage(status: StoreStatus): Page {
  const { generation, quorum, machines, streams, views, silent, unfinished } = status;
  return [
    lines(
      {
        text: `generation ${generation}, ${STATES[status.state]}`,
        tone: status.state === "open" ? "strong" : "bad",
      },
      `${quorum.up} of ${quorum.size} store machines answer, ${quorum.needed} needed`,
      ...unfinished.map(
        ({ id, decided }): Cell => ({
          text: `unfinished: move ${id} ${decided ? "has committed" : "has not committed"}; run the same command again, or any machine storage command`,
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
      { empty: "no known store machine", drop: ["NATS"] },
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
      { empty: "the store does not answer", drop: ["LAST"] },
    ),
    table(
      "view",
      ["MIRROR ON", "GENERATION", "COMMITS TO", "FACTS TO", "ON DISK"],
      views.map((view) => [
        view.machine,
        String(view.generation),
        String(view.commits),
        String(view.facts),
        view.kept.map((one) => `${one.generation} ${one.state}`).join(", ") || "-",
      ]),
      { empty: "no machine answers", drop: ["ON DISK"] },
    ),
    ...(silent.length > 0 ? [lines({ text: `no answer from ${silent.join(", ")}`, tone: "bad" })] : []),
  ];
}

function recoveryLines({
  from,
  commits,
  facts,
  namespaces,
  lost,
  certificates = { restored: [], lost: [] },
  views,
}: StoreRecovery): readonly Cell[] {
  return [
    `${from === undefined ? "from the backup" : `from the mirror of ${from}`}: commits up to ${commits}, facts up to ${facts}`,
    ...(namespaces.length > 0 ? [`namespaces: ${namespaces.join(", ")}`] : []),
    ...lost.map((what): Cell => ({ text: `lost: ${what}`, tone: "bad" })),
    ...(certificates.restored.length > 0
      ? [`keys brought back from gateways: ${certificates.restored.join(", ")}`]
      : []),
    ...certificates.lost.map(
      (name): Cell => ({
        text: `lost: the key of the certificate ${name}; ployzctl cert issue ${name} --force, or import it again`,
        tone: "bad",
      }),
    ),
    ...views.map(
      (view) =>
        `the mirror of ${view.machine}: generation ${view.generation}, commits up to ${view.commits}, facts up to ${view.facts}`,
    ),
  ];
}

const planCells = (plan: StorePlan): readonly Cell[] => {
  const { from, to, changes, unfinished, warnings, recovery } = plan;
  const where = (machines: readonly string[]) => machines.join(", ") || "nowhere";
  return [
    ...unfinished.map(
      ({ id, decided }) => `${decided ? "finishes" : "discards"} the unfinished move ${id} first`,
    ),
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
          `writes were refused for ${duration(pauseMs)}; workloads kept running`,
          ...(recovery === undefined ? [] : recoveryLines(recovery)),
          ...some(notOpen, "has not opened its server yet: run the same command again"),
          ...some(notRetired, "was unreachable; its part of the old store refuses writes for good"),
          ...some(unaware, "was unreachable; it will learn the new store from other machines"),
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
          text: "not encrypted, and it contains the cluster's secrets: protect the file, or use --passphrase-file",
          tone: "warn",
        }),
      ]),
];
