import { Duplex } from "node:stream";
import { type ErrorBody, PloyzError as WireError } from "@ployz/errors";
import { ExecError } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import { DIALED } from "./dial-stdio.ts";
import { explain, type Remote } from "./ssh.ts";

/** What a shell's start-up files may print before the first line is ours. */
const MAX_NOISE = 65_536;

export interface Dialed {
  readonly stream: Duplex;
  /** Resolves when the daemon there has taken the connection. @throws PloyzError */
  readonly ready: Promise<void>;
}

/** A connection to the daemon's socket on the other machine: the standard streams of `ployzctl dial-stdio` there. */
export function dial(ssh: Remote): Dialed {
  const program = ssh.start("ployzctl dial-stdio");
  let resolve = () => {};
  let reject: (error: Error) => void = () => {};
  const ready = new Promise<void>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  ready.catch(() => {}); // the stream fails with it, too
  let head: Buffer | undefined = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  const stream = new Duplex({
    read: () => void program.stdout.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      program.stdin.write(chunk, () => done()); // the program's end reports a broken pipe
    },
    final: (done) => {
      program.stdin.end(() => done());
    },
    destroy: (error, done) => {
      clearTimeout(timer);
      program.kill("SIGKILL");
      reject(error ?? new Error("closed"));
      done(error);
    },
  });
  const touch = () => void timer?.refresh();
  program.stdin.on("error", () => {});
  program.stdout.on("data", (chunk: Buffer) => {
    touch();
    const data = head === undefined ? chunk : first(chunk);
    if (data.length > 0 && !stream.push(data)) program.stdout.pause();
  });
  const first = (chunk: Buffer): Buffer => {
    const seen = Buffer.concat([head ?? Buffer.alloc(0), chunk]);
    const at = seen.indexOf(DIALED);
    const end = at < 0 ? -1 : seen.indexOf("\n", at);
    if (end < 0) {
      head = seen.subarray(-MAX_NOISE);
      return Buffer.alloc(0);
    }
    head = undefined;
    const answer = answerIn(seen.toString("utf8", at + DIALED.length, end));
    if (answer === undefined) stream.destroy(notThere(ssh.name, "its first line is not ployzctl's"));
    else if (answer.error === undefined) resolve();
    else stream.destroy(new WireError({ ...answer.error, message: `${ssh.name}: ${answer.error.message}` }));
    return seen.subarray(end + 1);
  };
  program.stdout.once("end", () => {
    program.done.then(
      () => (head === undefined ? stream.push(null) : stream.destroy(notThere(ssh.name, ""))),
      (error: unknown) => stream.destroy(head === undefined ? broken(ssh.name) : whyNot(ssh.name, error)),
    );
  });
  const idle = (ms: number) => {
    clearTimeout(timer);
    timer = ms === 0 ? undefined : setTimeout(() => stream.emit("timeout"), ms);
    timer?.unref();
    return stream;
  };
  return { stream: asSocket(stream, idle), ready };
}

/** Undefined: a shell printed the line. */
function answerIn(line: string): { readonly error?: ErrorBody } | undefined {
  try {
    return JSON.parse(line) as { readonly error?: ErrorBody };
  } catch {
    return undefined;
  }
}

/** ssh's own failures have the exit code 255 (ssh(1)); any other is the remote shell's. */
const whyNot = (name: string, error: unknown): Error =>
  error instanceof ExecError && error.exitCode !== undefined && error.exitCode !== 255
    ? notThere(name, error.stderr ?? "")
    : explain(name, error);

const notThere = (name: string, said: string) =>
  new PloyzError({
    code: "remote_not_installed",
    message: `${name}: cannot start its ployzctl: ${said.trim().split("\n").at(-1) || "it said nothing"}`,
    hint: "install or update Ployz on that machine, in the PATH of its SSH sessions",
  });

const broken = (name: string) =>
  Object.assign(new Error(`lost the connection to ${name}`), { code: "ECONNRESET" });

/** The socket methods that node:http calls on a connection. */
function asSocket(stream: Duplex, setTimeout: (ms: number) => Duplex): Duplex {
  const same = () => stream;
  return Object.assign(stream, { setTimeout, setNoDelay: same, setKeepAlive: same, ref: same, unref: same });
}
