import { PassThrough } from "node:stream";
import type { Attached } from "@ployz/runtime";

/** Nothing to wait for. */
export function ended(): Attached {
  const none = () => Promise.resolve();
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  stdin.resume();
  stdout.end();
  return {
    ...{ stdin, stdout, pid: undefined, resize: none, signal: none, kill: none },
    done: Promise.resolve({ exitCode: 0 }),
  };
}
