import type { OperationEvent } from "@ployz/primitives/client";

export type * from "@ployz/primitives/client";
export type Json = Extract<OperationEvent, { type: "result" }>["result"]["output"];
