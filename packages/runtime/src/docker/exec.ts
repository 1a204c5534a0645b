import type Docker from "dockerode";
import { PloyzError } from "../error-codes.ts";
import { kill, killBelow } from "../kill.ts";
import type { ExecOptions, ExecResult } from "../runtime.ts";
import { missing } from "../spec.ts";
import { engine, statusOf } from "./errors.ts";
import { frames } from "./streams.ts";

/** Runs a program in a container and collects its output. Kills it at the deadline: the engine itself would let it run. */
export async function execInContainer(
  docker: Docker,
  id: string,
  argv: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = AbortSignal.timeout(timeoutMs);
  const ended = AbortSignal.any([deadline, ...(options.signal === undefined ? [] : [options.signal])]);
  const hasInput = options.input !== undefined;
  const exec = await create(docker, id, argv, hasInput);
  const stream = await engine(`exec in ${id}`, () => exec.start({ hijack: true, stdin: hasInput }));
  const output: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
  const cut = () => stream.destroy();
  ended.addEventListener("abort", cut, { once: true });
  if (hasInput) stream.end(options.input);
  try {
    for await (const { stream: name, payload } of frames(stream as unknown as AsyncIterable<Buffer>)) {
      output[name].push(Buffer.from(payload));
    }
  } catch (error) {
    if (!ended.aborted) throw error;
  } finally {
    ended.removeEventListener("abort", cut);
  }
  const after = await engine(`inspect exec in ${id}`, () => exec.inspect());
  if (ended.aborted) {
    if (after.Running && after.Pid > 0) {
      await killBelow(after.Pid);
      kill(after.Pid);
    }
    const shown = argv[0] ?? "";
    throw new PloyzError(
      deadline.aborted
        ? { code: "exec_timeout", message: `${shown} in ${id} did not finish within ${timeoutMs} ms` }
        : { code: "exec_aborted", message: `${shown} in ${id} was aborted` },
    );
  }
  const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8");
  return { exitCode: after.ExitCode ?? -1, stdout: text(output.stdout), stderr: text(output.stderr) };
}

async function create(
  docker: Docker,
  id: string,
  argv: readonly string[],
  stdin: boolean,
): Promise<Docker.Exec> {
  try {
    return await docker
      .getContainer(id)
      .exec({ Cmd: [...argv], AttachStdin: stdin, AttachStdout: true, AttachStderr: true });
  } catch (error) {
    if (statusOf(error) === 404) throw missing(id);
    if (statusOf(error) !== 409) return engine(`exec in ${id}`, () => Promise.reject(error as Error));
    throw new PloyzError(
      { code: "instance_not_running", message: `instance ${id} is not running`, hint: "start it first" },
      { cause: error },
    );
  }
}
