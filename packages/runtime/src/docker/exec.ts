import { type Duplex, PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { drained, identify, isAlive, signalProcess } from "@ployz/exec";
import type Docker from "dockerode";
import { PloyzError } from "../error-codes.ts";
import { killBelow, signalBelow } from "../kill.ts";
import type { Attached, AttachOptions } from "../runtime.ts";
import { missing } from "../spec.ts";
import { engine, statusOf } from "./errors.ts";
import { type Frame, frames } from "./streams.ts";

/** Runs a program in a container. */
export async function attachToContainer(
  docker: Docker,
  id: string,
  argv: readonly string[],
  { terminal, env = {} }: AttachOptions,
): Promise<Attached> {
  const tty = terminal !== undefined;
  const exec = await create(docker, id, {
    ...{ Cmd: [...argv], Tty: tty, Env: Object.entries(env).map(([name, value]) => `${name}=${value}`) },
    ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true },
  });
  const socket = await engine(`exec in ${id}`, () => exec.start({ hijack: true, stdin: true, Tty: tty }));
  const resize: Attached["resize"] = async ({ columns, rows }) => {
    await exec.resize({ w: columns, h: rows }).catch(() => {}); // it may just have ended
  };
  const { stdout, stderr, beginning } = split(tty ? whole(socket) : frames(socket as AsyncIterable<Buffer>));
  const pid = await processOf(exec);
  const identity = pid === undefined ? undefined : await identify(pid);
  if (terminal !== undefined) await resize(terminal); // not before it runs
  const after = async (): Promise<{ exitCode: number }> => {
    await finished(socket, { writable: false }).catch(() => {});
    for (let tries = 0; ; tries++) {
      const { Running, ExitCode } = await engine(`inspect exec in ${id}`, () => exec.inspect());
      // The engine closes the stream a moment before it has the code.
      if (!Running || tries >= 100) return { exitCode: shellCode(ExitCode ?? 255, beginning()) };
      await delay(20);
    }
  };
  const done = after();
  done.catch(() => {});
  return {
    ...{ stdout, stdin: socket, pid, done, resize },
    ...(!tty && { stderr }),
    signal: async (name) => {
      if (identity === undefined) return;
      await signalBelow(identity.pid, name);
      await signalProcess(identity, name);
    },
    async kill() {
      // Before the engine hangs up on it: its children would outlive it.
      if (identity !== undefined && (await isAlive(identity))) {
        await killBelow(identity.pid);
        await signalProcess(identity, "SIGKILL");
      }
      socket.destroy();
    },
  };
}

/** Older engines have 126 for a program that is not there, too. They write why to its output. */
const shellCode = (exitCode: number, beginning: string): number =>
  exitCode === 126 && /OCI runtime exec failed.*(executable file not found|no such file)/s.test(beginning)
    ? 127
    : exitCode;

async function* whole(socket: Duplex): AsyncGenerator<Frame> {
  for await (const payload of socket as AsyncIterable<Buffer>) yield { stream: "stdout", payload };
}

/** Both outputs of the engine's one stream. A reader of one that stands still stops the other. */
function split(source: AsyncIterable<Frame>) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  let first: Buffer | undefined;
  const run = async () => {
    for await (const { stream, payload } of source) {
      first ??= payload;
      const to = stream === "stderr" ? stderr : stdout;
      if (!to.destroyed && !to.write(payload)) await drained(to);
    }
  };
  const end = () => {
    stdout.end();
    stderr.end();
  };
  run().then(end, end);
  return { stdout, stderr, beginning: () => first?.subarray(0, 1000).toString("utf8") ?? "" };
}

/** The program's process on this machine, once the engine has started it. */
async function processOf(exec: Docker.Exec): Promise<number | undefined> {
  for (let tries = 0; tries < 50; tries++) {
    const { Pid, ExitCode } = await exec.inspect();
    if (Pid > 0) return Pid;
    if (ExitCode !== null) return undefined;
    await delay(10);
  }
  return undefined;
}

async function create(docker: Docker, id: string, options: Docker.ExecCreateOptions): Promise<Docker.Exec> {
  try {
    return await docker.getContainer(id).exec(options);
  } catch (error) {
    if (statusOf(error) === 404) throw missing(id);
    if (statusOf(error) !== 409) return engine(`exec in ${id}`, () => Promise.reject(error as Error));
    throw new PloyzError(
      { code: "instance_not_running", message: `instance ${id} is not running`, hint: "start it first" },
      { cause: error },
    );
  }
}
