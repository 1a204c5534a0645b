import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "@ployz/exec";
import { PloyzError } from "../error-codes.ts";
import type { InstanceSpec, NetworkSpec } from "../runtime.ts";
import type { InstancePaths, ProcessLayout } from "./paths.ts";

/** An instance's record on disk: enough to restore it after a reboot without any other source. */
export interface InstanceRecord {
  readonly version: 1;
  readonly identity: string;
  readonly spec: InstanceSpec;
}

export async function readRecord(paths: InstancePaths): Promise<InstanceRecord | undefined> {
  const text = await readOptional(paths.spec);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as InstanceRecord;
  } catch (error) {
    throw new PloyzError(
      {
        code: "instance_record_damaged",
        message: `the record of instance ${paths.id} cannot be read`,
        hint: `remove the instance and create it again; the record is ${paths.spec}`,
      },
      { cause: error },
    );
  }
}

/** Holds the environment, and so possibly secrets: readable by root only. */
export async function writeRecord(paths: InstancePaths, record: InstanceRecord): Promise<void> {
  await mkdir(paths.state, { recursive: true, mode: 0o700 });
  await writeFileAtomic(paths.spec, `${JSON.stringify(record)}\n`);
}

export async function readNetwork(layout: ProcessLayout): Promise<NetworkSpec | undefined> {
  const text = await readOptional(join(layout.root, ".network.json"));
  return text === undefined ? undefined : (JSON.parse(text) as NetworkSpec);
}

export async function writeNetwork(layout: ProcessLayout, network: NetworkSpec | undefined): Promise<void> {
  const path = join(layout.root, ".network.json");
  if (network === undefined) await rm(path, { force: true });
  else await writeFileAtomic(path, `${JSON.stringify(network)}\n`);
}

/** Ids of all instances that have a folder; one whose `create` died before the record was written is among them. */
export async function listIds(layout: ProcessLayout): Promise<readonly string[]> {
  const names = await readdir(layout.root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names.filter((name) => !name.startsWith(".")).sort();
}

export interface InstanceState {
  /** Whether it was last asked to start (`up`) or to stop. */
  readonly wanted: boolean;
  readonly exitCode: number | undefined;
  readonly starts: number;
  /** Out-of-memory kills before the last start. */
  readonly oomBase: number;
}

export async function readState(paths: InstancePaths): Promise<InstanceState> {
  const [wanted, exit, starts, oom] = await Promise.all(
    ["wanted", "exit", "starts", "oom"].map((name) => readOptional(join(paths.state, name))),
  );
  return {
    wanted: wanted?.trim() === "up",
    exitCode: exit === undefined ? undefined : Number(exit),
    starts: Number(starts ?? 0),
    oomBase: Number(oom ?? 0),
  };
}

export async function setWanted(paths: InstancePaths, up: boolean): Promise<void> {
  await writeFileAtomic(join(paths.state, "wanted"), up ? "up\n" : "down\n");
}

/** Where the kernel's count of kills stands: it outlives a restart, and only later ones are this life's. */
export async function setOomBase(paths: InstancePaths, kills: number): Promise<void> {
  await writeFileAtomic(join(paths.state, "oom"), `${kills}\n`);
}

/** Forgets exit code, number of starts and back-off: an explicit start begins at zero. */
export async function resetState(paths: InstancePaths): Promise<void> {
  for (const name of ["exit", "starts", "backoff", "delay", "since"])
    await rm(join(paths.state, name), { force: true });
}

export async function readOptional(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
}
