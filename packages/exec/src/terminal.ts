import { type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants as files, openSync, write } from "node:fs";
import { constants } from "node:os";
import { type Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { ReadStream } from "node:tty";
import { ExecError } from "./errors.ts";
import { run } from "./run.ts";

/** In characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A program on a terminal of its own. */
export interface RunningTerminal {
  /** Ending it types the end of file (Ctrl-D). */
  readonly input: Writable;
  readonly output: Readable;
  readonly pid: number | undefined;
  /** 128 + n after signal n. */
  readonly done: Promise<{ readonly exitCode: number }>;
  /** Gives the terminal another size; the program gets SIGWINCH. */
  resize(size: TerminalSize): Promise<void>;
  /** Sends the signal to the program, SIGTERM by default. */
  kill(signal?: NodeJS.Signals): void;
}

/**
 * ioctl(2) on a pseudo-terminal's master: unlocks its slave (TIOCSPTLCK) and prints the slave's number (TIOCGPTN), see pts(4). Node has
 * no ioctl; perl-base is essential on Debian and Ubuntu.
 */
const UNLOCK =
  '$n = pack "i", 0; ioctl(STDIN, 0x40045431, $n) or die $!; ioctl(STDIN, 0x80045430, $n) or die $!; print unpack "i", $n';
const RETRY_MS = 5;

/** Starts a program on a pseudo-terminal of its own, in raw mode and without echo. */
export async function spawnOnTerminal(
  program: string,
  args: readonly string[],
  size: TerminalSize,
): Promise<RunningTerminal> {
  const flags = files.O_RDWR | files.O_NOCTTY;
  const master = openSync("/dev/ptmx", flags);
  let path: string;
  let child: ReturnType<typeof start>;
  try {
    path = `/dev/pts/${await unlock(master)}`;
    await run("stty", ["-F", path, "raw", "-echo", ...sized(size)]);
    const slave = openSync(path, flags);
    try {
      child = start(program, args, [slave, slave, slave]);
      await once(child, "spawn");
    } finally {
      closeSync(slave);
    }
  } catch (error) {
    closeSync(master);
    throw error;
  }
  const output = new Master(master);
  let open = true;
  output.on("close", () => {
    open = false;
  });
  const input = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const more = (from: number): void => {
        if (!open)
          done(); // nothing reads it any more
        else
          write(master, chunk, from, chunk.length - from, null, (error, written) => {
            if (error?.code === "EAGAIN") setTimeout(more, RETRY_MS, from);
            else if (error === null && from + written < chunk.length) more(from + written);
            else done();
          });
      };
      more(0);
    },
    final(done) {
      if (open) write(master, "\u0004", () => done());
      else done();
    },
  });
  const done = exitOf(child);
  return {
    ...{ input, output, pid: child.pid, done },
    async resize(next) {
      if (!open) return;
      await run("stty", ["-F", path, ...sized(next)], { okExitCodes: [0, 1] });
      child.kill("SIGWINCH"); // it has no controlling terminal, which would send the signal
    },
    kill: (signal = "SIGTERM") => void child.kill(signal),
  };
}

const sized = ({ columns, rows }: TerminalSize): readonly string[] => [
  ...["cols", String(columns)],
  ...["rows", String(rows)],
];

/** Reading a master fails with EIO once the last program has closed the slave: its end of file. Bytes read before it stay readable. */
class Master extends ReadStream {
  override destroy(error?: NodeJS.ErrnoException): this {
    if (error?.code !== "EIO") return super.destroy(error);
    this.push(null);
    return this;
  }
}

const start = (program: string, args: readonly string[], stdio: StdioOptions) =>
  spawn(program, [...args], { stdio });

const exitOf = async (child: ReturnType<typeof start>): Promise<{ readonly exitCode: number }> => {
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  return { exitCode: code ?? 128 + constants.signals[signal ?? "SIGKILL"] };
};

async function unlock(master: number): Promise<number> {
  const perl = start("perl", ["-e", UNLOCK], [master, "pipe", "pipe"]);
  const read = (stream: Readable | null) => (stream === null ? Promise.resolve("") : text(stream));
  const about = { program: "perl", args: [] };
  const [number, stderr, { exitCode }] = await Promise.all([
    read(perl.stdout),
    read(perl.stderr),
    exitOf(perl),
  ]).catch((cause: unknown) => {
    const message = "a terminal needs perl, which is not installed or not in PATH";
    const hint = "apt-get install perl-base";
    throw new ExecError({ ...about, code: "exec_not_found", message, hint, stderr: "" }, { cause });
  });
  if (exitCode === 0 && /^\d+$/.test(number)) return Number(number);
  const message = `cannot open a terminal: ${stderr.trim()}`;
  throw new ExecError({ ...about, code: "exec_failed", message, exitCode, stderr });
}
