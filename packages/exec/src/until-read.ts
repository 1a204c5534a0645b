import { PassThrough, pipeline, type Readable } from "node:stream";

/**
 * The same stream, which keeps its bytes until its first reader comes. Call it before anything else is awaited: Node throws away what a program
 * wrote that has ended before that.
 */
export function untilRead(stream: Readable): Readable {
  const kept = new PassThrough();
  pipeline(stream, kept, () => {}); // the reader sees its error
  kept.on("error", () => {});
  return kept;
}
