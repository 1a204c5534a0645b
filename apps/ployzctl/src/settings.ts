import { access, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { PloyzError } from "./error-codes.ts";
import type { Color } from "./output/mode.ts";
import type { Terminal } from "./terminal.ts";

/** Paths of this machine's daemon: from flags, else environment, else configuration file, else defaults (docs/configuration.md). */
export interface Settings {
  readonly configPath: string;
  readonly socket: string;
  readonly dataDir: string;
  readonly file: Readonly<Record<string, unknown>>;
}

export async function loadSettings(
  globals: Pick<Globals, "config" | "socket" | "dataDir">,
  terminal: Terminal,
): Promise<Settings> {
  const { env, root } = terminal;
  const xdg = (name: string, fallback: string) => env[name] ?? join(env.HOME ?? homedir(), fallback);
  const configPath =
    globals.config ??
    env.PLOYZ_CONFIG ??
    (root ? "/etc/ployz/config.toml" : join(xdg("XDG_CONFIG_HOME", ".config"), "ployz/config.toml"));
  const file = await readConfig(configPath);
  const field = (name: string) => (typeof file[name] === "string" ? file[name] : undefined);
  return {
    configPath,
    file,
    socket: globals.socket ?? env.PLOYZ_SOCKET ?? field("socket") ?? (await defaultSocket(terminal)),
    dataDir:
      globals.dataDir ??
      env.PLOYZ_DATA_DIR ??
      field("data_dir") ??
      (root ? "/var/lib/ployz" : join(xdg("XDG_DATA_HOME", ".local/share"), "ployz")),
  };
}

/** @throws PloyzError `linux_only`, where no daemon runs. */
export function needLinux({ platform }: Pick<Terminal, "platform">, what: string): void {
  if (platform === "linux") return;
  throw new PloyzError({
    code: "linux_only",
    message: `${what}: ployzd runs on Linux, and this computer runs ${platform === "darwin" ? "macOS" : platform}`,
    hint: "name a machine of a cluster: ployzctl context add NAME ssh://root@MACHINE, then ployzctl context use NAME",
  });
}

const SYSTEM_SOCKET = "/run/ployz/ployzd.sock";

/** The user's own daemon if it has a socket, else the machine's, which the group ployz may use. */
async function defaultSocket({ root, env }: Terminal): Promise<string> {
  if (root) return SYSTEM_SOCKET;
  const own = join(env.XDG_RUNTIME_DIR ?? "/tmp", "ployz/ployzd.sock");
  return access(own).then(
    () => own,
    () => SYSTEM_SOCKET,
  );
}

/** The file as a table; a missing file is an empty one. Fields are checked by the daemon. */
export async function readConfig(path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw new PloyzError({ code: "config_invalid", message: `${path}: cannot be read (${error.code})` });
  });
  if (text.trim() === "") return {};
  const { parse } = await import("smol-toml");
  try {
    return parse(text);
  } catch (error) {
    throw new PloyzError({
      code: "config_invalid",
      message: `${path}: ${(error as Error).message.split("\n")[0] ?? "not TOML"}`,
      hint: "correct the file; docs/configuration.md lists the fields",
    });
  }
}

export interface Globals {
  readonly json: boolean;
  readonly events: boolean;
  readonly plain: boolean;
  readonly quiet: boolean;
  readonly wide: boolean;
  readonly color: Color;
  readonly config: string | undefined;
  readonly socket: string | undefined;
  readonly dataDir: string | undefined;
  readonly host: string | undefined;
  /** A name of contexts.toml, or `local`. */
  readonly context: string | undefined;
  readonly timeoutMs: number | undefined;
}
