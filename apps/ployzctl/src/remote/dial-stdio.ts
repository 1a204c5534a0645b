import { connect } from "node:net";
import { pipeline } from "node:stream/promises";
import { type ErrorBody, errorBody } from "@ployz/errors";
import { PloyzError } from "../error-codes.ts";
import { loadSettings } from "../settings.ts";
import type { Terminal } from "../terminal.ts";

/** Begins the first line; what follows it on the line is JSON. A shell may print its own lines before. */
export const DIALED = "ployz-dial/1 ";

/** `ployzctl dial-stdio`: this machine's daemon on stdin and stdout, for a ployzctl on another machine. */
export async function dialStdio(terminal: Terminal): Promise<number> {
  const say = (line: { readonly error?: ErrorBody }) =>
    terminal.raw.stdout.write(`${DIALED}${JSON.stringify(line)}\n`);
  try {
    const { socket: path } = await loadSettings(
      { config: undefined, socket: undefined, dataDir: undefined },
      terminal,
    );
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", (error: NodeJS.ErrnoException) => reject(unreachable(path, error.code)));
    });
    say({});
    socket.once("close", () => terminal.stdin.destroy()); // an open pipe keeps this program running
    await Promise.allSettled([
      pipeline(terminal.stdin, socket),
      pipeline(socket, terminal.raw.stdout, { end: false }),
    ]);
    return 0;
  } catch (error) {
    say({ error: errorBody(error) });
    return 4;
  }
}

function unreachable(path: string, code: string | undefined): PloyzError {
  const denied = code === "EACCES" || code === "EPERM";
  return new PloyzError({
    code: "daemon_unreachable",
    message: denied ? `no permission to use ${path}` : `no daemon answers at ${path} (${code})`,
    hint: denied
      ? "log in as root, or add the user to the group ployz"
      : "start it there with: ployzctl daemon install",
  });
}
