import type { ClusterStatus } from "../../api.ts";
import { ago, type Cell, type Page, remark, table } from "../page.ts";
import { machineTable } from "./machines.ts";
import { namespaceTable } from "./namespaces.ts";
import { operationTable } from "./operations.ts";
import { warningBlocks } from "./warnings.ts";

/** The whole cluster on one screen. */
export function statusPage(status: ClusterStatus, now: number): Page {
  const { cluster, self, machines, namespaces, operations, store, warnings } = status;
  const running = operations.filter(({ state }) => state !== "done" && state !== "aborted");
  const shown = (running.length > 0 ? running : operations).slice(0, 5);
  const storeLine: Cell = {
    text: `store ${store.state} on ${store.machines.join(", ") || "no machine"}, generation ${store.generation}`,
    tone: store.state === "connected" ? "ok" : "bad",
  };
  return [
    remark(
      {
        text: `${cluster?.name ?? "no cluster"}${self === undefined ? "" : `, as seen by ${self}`}`,
        tone: "strong",
      },
      storeLine,
      "",
    ),
    machineTable(machines),
    remark(""),
    namespaceTable(namespaces, now),
    remark(""),
    operationTable(shown, now, "no operations yet"),
    ...copyTable(status.volumes ?? [], now),
    ...warningBlocks(warnings),
  ];
}

/** Which volumes have a second copy, and how old it is. */
function copyTable(volumes: NonNullable<ClusterStatus["volumes"]>, now: number): Page {
  if (volumes.length === 0) return [];
  return [
    remark(""),
    table(
      "volume",
      ["VOLUME", "MACHINE", "STANDBY", "BACKUP", "VERIFIED"],
      volumes.map(({ namespace, volume, machine, standbyAt, backupAt, verifiedAt }) => [
        ...[`${namespace}/${volume}`, machine],
        standbyAt === undefined ? { text: "none", tone: "dim" } : ago(standbyAt, now),
        backupAt === undefined ? { text: "none", tone: "dim" } : ago(backupAt, now),
        verifiedAt === undefined ? { text: "none", tone: "dim" } : ago(verifiedAt, now),
      ]),
      { empty: "" },
    ),
  ];
}
