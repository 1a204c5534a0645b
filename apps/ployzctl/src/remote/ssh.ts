import { lstat, mkdir } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { ExecError, type RunningProgram, run, spawnStream } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import type { Terminal } from "../terminal.ts";
import { hostText, type SshHost } from "./host.ts";

/** The master connection stays open this long after its last use. Seconds. */
const PERSIST_S = 300;
/** For a person who types a passphrase, or touches a key. Milliseconds. */
const LOGIN_MS = 120_000;
/** A Unix socket's path has 104 bytes on macOS (sun_path), and ssh binds it under a longer name first. */
const LONGEST_FOLDER = 104 - "/ssh-".length - 40 - 18;

const FIXED = [
  ...["-T", "-x"],
  ...["ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3"].flatMap(option),
  // A user's settings for a shell on that host.
  ...["RemoteCommand=none", "ClearAllForwardings=yes", "PermitLocalCommand=no"].flatMap(option),
];

function option(text: string): readonly string[] {
  return ["-o", text];
}

/** Programs on another machine. */
export interface Remote {
  readonly name: string;
  /** Whether a connection is open already. */
  isOpen(): Promise<boolean>;
  /** Logs in, unless a connection is open. Asks on the terminal where there is one. @throws PloyzError */
  login(signal: AbortSignal): Promise<void>;
  /** Starts a command there, in a session of its own, so that a Ctrl-C at this terminal does not reach it. */
  start(command: string): RunningProgram;
  /** The same on a connection of its own, through which the machine reaches this computer's agent. */
  startWithAgent(command: string): RunningProgram;
  /** Ends the connection that others share. */
  end(): Promise<void>;
}

/** The system's ssh(1) to one host: the user's configuration holds for the rest. */
export async function openSsh(host: SshHost, terminal: Pick<Terminal, "env" | "err">): Promise<Remote> {
  const folder = await socketFolder(terminal.env);
  const shared =
    folder === undefined
      ? ["ControlPath=none"]
      : [`ControlPath=${folder}/ssh-%C`, "ControlMaster=auto", `ControlPersist=${PERSIST_S}`];
  const where = [
    ...(host.user === undefined ? [] : ["-l", host.user]),
    ...(host.port === undefined ? [] : ["-p", String(host.port)]),
    ...["--", host.host],
  ];
  const options = ["-a", ...FIXED, ...shared.flatMap(option)];
  const batch = option("BatchMode=yes");
  const name = hostText(host);
  const control = (command: string) =>
    run("ssh", ["-O", command, ...options, ...where], { okExitCodes: [0, 255], timeoutMs: 5_000 });
  const isOpen = async () => folder !== undefined && (await control("check")).exitCode === 0;
  return {
    name,
    isOpen,
    async login(signal) {
      if (await isOpen()) return;
      const asks = terminal.err.tty ? [] : batch;
      try {
        await run("ssh", [...options, ...asks, ...where, "true"], { timeoutMs: LOGIN_MS, signal });
      } catch (error) {
        throw explain(name, error);
      }
    },
    start: (command) => spawnStream("ssh", [...options, ...batch, ...where, command], { ownSession: true }),
    startWithAgent: (command) =>
      spawnStream("ssh", ["-A", ...FIXED, ...option("ControlPath=none"), ...batch, ...where, command], {
        ownSession: true,
      }),
    async end() {
      if (folder !== undefined) await control("exit");
    },
  };
}

/**
 * A private folder for the sockets of master connections; none if its path is too long for a socket, or if another user may write there: ssh trusts whatever
 * answers at the socket.
 */
async function socketFolder(env: Terminal["env"]): Promise<string | undefined> {
  const base = env.XDG_RUNTIME_DIR ?? env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), ".cache");
  const folder = join(base, "ployz");
  if (Buffer.byteLength(folder) > LONGEST_FOLDER || /[%\s"]/.test(folder)) return undefined;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = await lstat(folder);
    return uid === userInfo().uid && (mode & 0o022) === 0 ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** The error that ssh(1) printed on stderr. */
export function explain(name: string, error: unknown): Error {
  if (!(error instanceof ExecError)) return error instanceof Error ? error : new Error(String(error));
  if (error.code === "exec_not_found" || error.code === "exec_aborted") return error;
  const said = (error.stderr ?? "").trim();
  if (/Host key verification failed|IDENTIFICATION HAS CHANGED|host key is known/i.test(said)) {
    return new PloyzError({
      code: "ssh_host_key_unknown",
      message: `${name}: unknown or changed host key`,
      hint: `connect once and compare the fingerprint: ssh ${name}`,
    });
  }
  if (/Permission denied|Too many authentication failures|No more authentication methods/i.test(said)) {
    return new PloyzError({
      code: "ssh_auth_failed",
      message: `${name}: refused every key`,
      hint: `add the right key to the agent (ssh-add), and try: ssh ${name}`,
    });
  }
  const why = error.code === "exec_timeout" ? "no answer" : (said.split("\n").at(-1) ?? "");
  return new PloyzError({
    code: "ssh_unreachable",
    message: `${name}: ${why === "" ? "the connection failed" : why}`,
    hint: `check the address, and that sshd is running there: ssh ${name}`,
  });
}
