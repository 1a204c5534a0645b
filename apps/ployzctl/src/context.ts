import { type ErrorBody, errorBody } from "@ployz/errors";
import type { Context } from "./command.ts";
import { PloyzError } from "./error-codes.ts";
import { openProgress } from "./output/progress.ts";
import type { RemoteClient } from "./remote/client.ts";
import { findDestination } from "./remote/destination.ts";
import type { Globals } from "./settings.ts";
import { loadSettings, needLinux, type Settings } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

export interface OpenContext extends Context {
  /** The error to show. After `--timeout`, every error is the timeout. */
  explain(error: unknown): ErrorBody;
  close(): void;
}

/** `own`: the command works on this machine, whatever context is in use. */
export function openContext(globals: Globals, terminal: Terminal, own = false): OpenContext {
  const deadline = new AbortController();
  const timer =
    globals.timeoutMs === undefined ? undefined : setTimeout(() => deadline.abort(), globals.timeoutMs);
  timer?.unref();
  let settings: Promise<Settings> | undefined;
  let client: Promise<Pick<RemoteClient, "client" | "close"> & Partial<RemoteClient>> | undefined;

  const loaded = () => {
    settings ??= loadSettings(globals, terminal);
    return settings;
  };

  let found: ReturnType<typeof findDestination> | undefined;
  const destination = () => {
    found ??= findDestination(globals, terminal, own);
    return found;
  };
  const progress = openProgress(globals, terminal);

  const connected = () => {
    client ??= connect();
    return client;
  };

  async function connect() {
    const remote = await destination();
    if (remote?.token !== undefined) {
      const { needToken, openTokenClient } = await import("./remote/token.ts");
      const { where, text } = remote.token;
      return openTokenClient(needToken(where, text), deadline.signal);
    }
    if (remote !== undefined) {
      const { openRemoteClient } = await import("./remote/client.ts");
      const { note } = progress;
      return openRemoteClient(remote, terminal, { signal: deadline.signal, note });
    }
    const { env } = terminal;
    const named = globals.socket ?? globals.config ?? env.PLOYZ_SOCKET ?? env.PLOYZ_CONFIG;
    if (named === undefined) needLinux(terminal, "without a context or --host");
    const { openClient } = await import("@ployz/primitives/client");
    return { client: openClient({ socketPath: (await loaded()).socket }), close: () => {} };
  }

  return {
    globals,
    terminal,
    progress,
    signal: deadline.signal,
    settings: loaded,
    remote: async () => (await destination())?.name,
    client: async () => (await connected()).client,
    async agent() {
      const { agent } = await connected();
      return agent === undefined ? terminal.env.SSH_AUTH_SOCK : agent();
    },
    confirm(question) {
      if (!terminal.stdinTty || globals.json) return Promise.resolve(undefined);
      return ask(terminal, question);
    },
    explain(error) {
      if (!deadline.signal.aborted) return errorBody(error);
      return errorBody(
        new PloyzError({
          code: "daemon_timeout",
          message: `no result within ${globals.timeoutMs} ms`,
          hint: "the operation may still be running: ployzctl ops ls",
        }),
      );
    },
    close() {
      clearTimeout(timer);
      client?.then(
        ({ close }) => close(),
        () => {},
      );
    },
  };
}

async function ask(terminal: Terminal, question: string): Promise<boolean> {
  const { createInterface } = await import("node:readline");
  terminal.err.write(`${question} [y/N] `);
  const lines = createInterface({ input: terminal.stdin });
  return new Promise((resolve) => {
    lines.once("line", (line) => resolve(/^y(es)?$/i.test(line.trim())));
    lines.once("close", () => resolve(false));
  }).then((answer) => {
    lines.close();
    return answer === true;
  });
}
