import type { Logger } from "pino";

/** Callbacks of a member to its daemon. */
export interface Life {
  readonly log: Logger;
  /** Ordered by the operation that removed this machine. */
  leaving(operation: string): Promise<void>;
  left(operation: string): Promise<void> | undefined;
}
