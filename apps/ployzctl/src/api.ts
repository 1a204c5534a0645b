import type { NamespaceRow, OperationEvent } from "@ployz/primitives/client";

export type * from "@ployz/primitives/client";
export type CommitRow = NamespaceRow["commit"];
export type Json = Extract<OperationEvent, { type: "result" }>["result"]["output"];
