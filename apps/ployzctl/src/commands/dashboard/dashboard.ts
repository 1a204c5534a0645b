import { run } from "@ployz/exec";
import type { Context, Input } from "../../command.ts";
import { pageFiles } from "../../dashboard/files.ts";
import { serveDashboard } from "../../dashboard/server.ts";
import type { TextDocument } from "../../documents.ts";
import { usage } from "../../errors.ts";

const PORT = 7373;

/** Serves until Ctrl-C. */
export async function dashboard(context: Context, input: Input): Promise<TextDocument> {
  const { terminal, signal } = context;
  const port = input.number("port") ?? PORT;
  if (port > 65_535) throw usage(`--port: ${port} is not a port`, "a number from 0 to 65535");
  const files = await pageFiles();
  const client = await context.client();
  await client.request("GET /v1/version", { signal });
  const served = await serveDashboard({
    ...{ port, client, files },
    ...(input.flag("write") && { write: { by: terminal.by } }),
  });
  try {
    const ended = new Promise<void>((resolve) => {
      terminal.onInterrupt(resolve);
      terminal.onSignal("SIGTERM", resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    context.progress.note(`the dashboard is at ${served.address(false)} ; Ctrl-C ends it`);
    // Other users of this computer see the arguments of programs: this token is for one use.
    const opener = input.flag("no-open")
      ? undefined
      : openerOf(terminal.platform, terminal.env, terminal.err.tty);
    if (opener !== undefined)
      await run(opener, [served.address(true)], { timeoutMs: 10_000 }).catch(() => {});
    await ended;
  } finally {
    await served.close();
  }
  return { kind: "text", text: "" };
}

/** The program that opens a browser where there is a screen. Pure. */
export function openerOf(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
  tty: boolean,
): "open" | "xdg-open" | undefined {
  if (!tty) return undefined;
  if (platform === "darwin") return env.SSH_CONNECTION === undefined ? "open" : undefined;
  return env.DISPLAY !== undefined || env.WAYLAND_DISPLAY !== undefined ? "xdg-open" : undefined;
}
