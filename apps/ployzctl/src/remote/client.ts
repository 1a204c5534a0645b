import type { Client } from "@ployz/primitives/client";
import { CliError } from "../errors.ts";
import type { Terminal } from "../terminal.ts";

export async function openRemoteClient(
  _host: string,
  _terminal: Terminal,
  _signal: AbortSignal,
): Promise<{ client: Client; close(): void }> {
  throw new CliError({ code: "usage", message: "--host is not there yet" });
}
