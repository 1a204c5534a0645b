import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import type { Context } from "./command.ts";
import { usage } from "./errors.ts";

/** All of stdin. `what`: for the error when it is longer than `most` bytes. */
export async function readStdinBytes({ terminal }: Context, most: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of terminal.stdin) {
    const bytes = Buffer.from(chunk as Buffer);
    size += bytes.length;
    if (size > most) throw usage(`the ${what} on stdin is longer than ${most} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** The same as text. */
export const readStdin = async (...args: Parameters<typeof readStdinBytes>): Promise<string> =>
  (await readStdinBytes(...args)).toString("utf8");

/** Reads one line from a terminal without echo. */
export async function readHidden({ terminal }: Context, prompt: string): Promise<string> {
  terminal.err.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: terminal.stdin, output: nowhere, terminal: true });
  try {
    return await new Promise<string>((resolve) => {
      lines.once("line", resolve);
      lines.once("close", () => resolve(""));
      lines.once("SIGINT", () => terminal.exit(130));
    });
  } finally {
    lines.close();
    terminal.err.write("\n");
  }
}
