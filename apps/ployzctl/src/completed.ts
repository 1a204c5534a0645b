import { COMMANDS } from "./commands/index.ts";
import { complete } from "./completion/complete.ts";
import type { Terminal } from "./terminal.ts";

/** What `ployzctl __complete WORDS` prints. */
export const completed = (words: readonly string[], terminal: Terminal): Promise<string> =>
  complete(COMMANDS, words, terminal);
