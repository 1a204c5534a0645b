import type { Logger } from "pino";

/** What a member says to the daemon that it is part of. */
export interface Life {
  readonly log: Logger;
  /** Ordered by the operation that removed this machine. */
  leaving(operation: string): Promise<void>;
  left(operation: string): Promise<void> | undefined;
}
