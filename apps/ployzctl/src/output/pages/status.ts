import type { ClusterStatus } from "../../api.ts";
import { type Cell, type Page, remark } from "../page.ts";
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
    ...warningBlocks(warnings),
  ];
}
