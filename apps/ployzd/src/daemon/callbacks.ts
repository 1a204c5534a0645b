import type { Logger } from "pino";
import type { TakeSocket } from "../invites/server.ts";

/** Callbacks of a member to its daemon. */
export interface Life {
  readonly log: Logger;
  /** Ordered by the operation that removed this machine. */
  leaving(operation: string): Promise<void>;
  left(operation: string): Promise<void> | undefined;
  /** Serves connections of holders of tokens. */
  readonly take: TakeSocket;
}
