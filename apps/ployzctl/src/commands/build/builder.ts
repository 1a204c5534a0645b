import { once } from "node:events";
import { createInterface } from "node:readline";
import { ExecError, findProgram, run, spawnStream } from "@ployz/exec";
import type { Context } from "../../command.ts";
import { PloyzError } from "../../error-codes.ts";
import { type Builder, type BuildSpec, buildArgv } from "./argv.ts";

/** The first that this machine has: buildx, else the engine's own builder, else buildah. @throws PloyzError `builder_missing` */
export async function findBuilder(signal: AbortSignal): Promise<Builder> {
  const works = (args: readonly string[]) =>
    run("docker", args, { timeoutMs: 20_000, signal }).then(
      () => true,
      () => false,
    );
  const docker = await findProgram("docker");
  const answers = docker !== undefined && (await works(["version", "--format", "{{.Server.Version}}"]));
  if (answers) return (await works(["buildx", "version"])) ? "docker buildx" : "docker build";
  if ((await findProgram("buildah")) !== undefined) return "buildah";
  throw new PloyzError({
    code: "builder_missing",
    message:
      docker === undefined
        ? "this machine has neither docker nor buildah to build images with"
        : "docker does not answer on this machine, and there is no buildah",
    hint: "install one of them, or build elsewhere and push the archive: ployzctl image push --archive FILE",
  });
}

/** Builds the image; the builder's output becomes progress. @throws PloyzError `build_failed` with its last lines */
export async function buildImage(context: Context, builder: Builder, spec: BuildSpec): Promise<void> {
  const [program, ...args] = buildArgv(builder, spec);
  // The old builder writes steps to stdout, the others to stderr.
  const running = spawnStream(program, args, {
    signal: context.signal,
    env: builder === "docker build" ? { DOCKER_BUILDKIT: "0" } : {},
  });
  running.stdin.end();
  const last: string[] = [];
  const lines = [running.stdout, running.stderr].map(async (stream) => {
    const reading = createInterface({ input: stream });
    reading.on("line", (line) => {
      if (line.trim() === "") return;
      last.push(line);
      if (last.length > 20) last.shift();
      context.progress.event({ type: "progress", step: "build", note: line.slice(0, 120) });
    });
    await once(reading, "close");
  });
  const [ended] = await Promise.allSettled([running.done, ...lines]);
  if (ended.status === "fulfilled") return;
  context.signal.throwIfAborted();
  const error: unknown = ended.reason;
  throw new PloyzError(
    {
      code: "build_failed",
      message: `${builder} could not build ${spec.name}${error instanceof ExecError && error.exitCode !== undefined ? ` (exit code ${error.exitCode})` : ""}: ${last.at(-1) ?? "no output"}`,
      hint: "its last lines are in the details (--json)",
      details: { builder, lines: last },
    },
    { cause: error },
  );
}
