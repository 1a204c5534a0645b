import type { IncomingMessage } from "node:http";
import { PloyzError } from "./error-codes.ts";

const invalid = (message: string) => new PloyzError({ code: "invalid_input", message });

/** The body of a request. @throws PloyzError `invalid_input` when it is larger than `most` bytes. */
export async function readText(request: IncomingMessage, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) throw invalid(`the request is larger than ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The same as JSON; `undefined` without a body. @throws PloyzError `invalid_input`. */
export async function readJsonBody(request: IncomingMessage, most: number): Promise<unknown> {
  const text = await readText(request, most);
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw invalid("the request body is not JSON");
  }
}
