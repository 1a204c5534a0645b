import { readFile, statfs } from "node:fs/promises";
import { arch, availableParallelism, release } from "node:os";
import { PloyzError } from "../error-codes.ts";
import type { RuntimeFacts } from "../runtime.ts";
import type { Instances } from "./lifecycle.ts";

export async function machineFacts(machine: Instances): Promise<RuntimeFacts> {
  return {
    kind: "process",
    version: release(),
    arch: architecture(arch()),
    cpus: availableParallelism(),
    ...(await memory()),
    ...(await disk(machine.layout.root)),
    cgroups: machine.cgroups.version,
    limits: machine.cgroups.limits,
  };
}

/** Names as images have them. @throws PloyzError `arch_unsupported` */
export function architecture(name: string): "amd64" | "arm64" {
  if (name === "x64" || name === "x86_64" || name === "amd64") return "amd64";
  if (name === "arm64" || name === "aarch64") return "arm64";
  throw new PloyzError({
    code: "arch_unsupported",
    message: `machines of architecture ${name} are not supported`,
  });
}

/** From statfs(2): file systems such as btrfs count no inodes. */
export async function disk(folder: string): Promise<Pick<RuntimeFacts, "diskFreeBytes" | "inodes">> {
  const { bavail, bsize, files, ffree } = await statfs(folder);
  return { diskFreeBytes: bavail * bsize, ...(files > 0 && { inodes: { total: files, free: ffree } }) };
}

/** From proc_meminfo(5), in bytes. Free is what can be had without swapping. */
export async function memory(): Promise<{ readonly memoryBytes: number; readonly memoryFreeBytes: number }> {
  const text = await readFile("/proc/meminfo", "utf8");
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0);
  return { memoryBytes: kib("MemTotal") * 1024, memoryFreeBytes: kib("MemAvailable") * 1024 };
}
