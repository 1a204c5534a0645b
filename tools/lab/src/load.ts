import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { PloyzError } from "@ployz/errors";
import { run, spawnStream } from "@ployz/exec";
import { cgroupDirs } from "./cgroup.ts";
import type { LoadOptions, LoadReport } from "./load-report.ts";
import { labCgroup, labNetns, launcher, loadWorker, machineNetns } from "./names.ts";
import { checkIndex, type LabSpec } from "./spec.ts";

export interface LoadRequest extends Partial<Omit<LoadOptions, "url">> {
  /** The machine that sends the load; default: the lab's client. */
  readonly from?: number;
  /** Ends the run early; the report covers what ran until then. */
  readonly until?: AbortSignal;
}

/** Sends requests at a constant rate and reports every failed and every late one. Defaults: 50/s for 10 s. */
export async function load(spec: LabSpec, url: string, request: LoadRequest = {}): Promise<LoadReport> {
  const options: LoadOptions = {
    url: checkUrl(url),
    rate: positive("rate", request.rate ?? 50),
    seconds: positive("seconds", request.seconds ?? 10),
    lateMs: positive("late-ms", request.lateMs ?? 1_000),
    timeoutMs: positive("timeout-ms", request.timeoutMs ?? 5_000),
    keepAlive: request.keepAlive ?? false,
    ...(request.host !== undefined && { host: request.host }),
  };
  const netns =
    request.from === undefined
      ? labNetns(spec.name)
      : machineNetns(spec.name, checkIndex(spec, request.from));
  await run(launcher, ["--build"]);
  const joinLab = 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"';
  const enter = [
    "nsenter",
    `--net=/run/netns/${netns}`,
    process.execPath,
    loadWorker,
    JSON.stringify(options),
  ];
  const worker = spawnStream("sh", ["-c", joinLab, "sh", await clientCgroup(spec), ...enter], {
    timeoutMs: options.seconds * 1000 + options.timeoutMs + 30_000,
  });
  const stop = () => worker.kill("SIGINT");
  if (request.until?.aborted) stop();
  request.until?.addEventListener("abort", stop, { once: true });
  try {
    const [report] = await Promise.all([text(worker.stdout), worker.done]);
    return JSON.parse(report) as LoadReport;
  } finally {
    request.until?.removeEventListener("abort", stop);
  }
}

/** Makes the load part of the lab, so that `down` stops it even if its caller was killed. */
async function clientCgroup(spec: LabSpec): Promise<string> {
  // One hierarchy is enough; not a cpuset, which accepts no process until it is configured.
  const dirs = await cgroupDirs(join(labCgroup(spec.name), "client"));
  const dir = dirs.find((at) => !at.includes("/cpuset/"));
  if (dir === undefined)
    throw new PloyzError({ code: "cgroups_missing", message: "this host has no cgroup hierarchy" });
  await mkdir(dir, { recursive: true });
  return dir;
}

function checkUrl(url: string): string {
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new PloyzError({
    code: "load_url_invalid",
    message: `${JSON.stringify(url)} is not an HTTP URL`,
    hint: "write it like http://10.77.3.11/",
  });
}

function positive(what: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new PloyzError({ code: "load_option_invalid", message: `${what} must be a number above 0` });
}
