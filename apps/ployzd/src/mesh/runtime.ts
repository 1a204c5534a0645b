import { access } from "node:fs/promises";
import { openDockerRuntime } from "@ployz/runtime";
import type { Config } from "../config/load.ts";
import { PloyzError } from "../error-codes.ts";

/** Docker if it answers, else host processes; a requested runtime must be available. */
export async function detectRuntime(
  config: Config,
  wanted: "docker" | "process" | undefined,
): Promise<"docker" | "process"> {
  if (wanted === "process") return "process";
  const there = await access(config.dockerSocket).then(
    () => true,
    () => false,
  );
  if (!there && wanted === undefined) return "process";
  try {
    const runtime = await openDockerRuntime({ socketPath: config.dockerSocket });
    await runtime.facts();
    return "docker";
  } catch (error) {
    if (wanted === undefined) return "process";
    throw new PloyzError(
      {
        code: "docker_unavailable",
        message: `Docker does not answer on ${config.dockerSocket}`,
        hint: "start Docker, or use --runtime host",
      },
      { cause: error },
    );
  }
}
