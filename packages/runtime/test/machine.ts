import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@ployz/exec";
import type { InstanceSpec, NetworkSpec } from "../src/index.ts";

/** One simulated machine: folders and names that no other test has. */
export interface Machine {
  readonly dir: string;
  readonly tag: string;
  readonly network: NetworkSpec;
  readonly cgroupParent: string;
  /** A world-readable folder for bundles, mounted files and results. */
  folder(name: string): Promise<string>;
  spec(id: string, fields?: Partial<InstanceSpec>): InstanceSpec;
  remove(): Promise<void>;
}

let machines = 0;

export async function makeMachine(): Promise<Machine> {
  const tag = randomBytes(3).toString("hex");
  const number = ++machines;
  const dir = await mkdtemp(join(tmpdir(), "ployz-runtime-"));
  await chmod(dir, 0o755);
  const subnet = `10.101.${number}`;
  let hosts = 9;
  return {
    dir,
    tag,
    network: {
      bridge: `pl${tag}`,
      subnet: `${subnet}.0/24`,
      gateway: `${subnet}.1`,
      clusterCidr: "10.101.0.0/16",
      mtu: 1380,
    },
    cgroupParent: `ployz-test-${process.env.PLOYZ_TEST_RUN}-${tag}`,
    async folder(name) {
      const path = join(dir, name);
      await mkdir(path, { recursive: true });
      await chmod(path, 0o777);
      return path;
    },
    spec: (id, fields = {}) => ({
      id,
      labels: { service: id },
      env: {},
      address: `${subnet}.${++hosts}`,
      dns: { server: `${subnet}.1`, search: ["prod.cluster.local"] },
      hostname: id,
      mounts: [],
      restart: "always",
      stopGraceMs: 3_000,
      ...fields,
    }),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Everything an instance could leave behind on the machine. */
export async function traces(cgroupParent: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const lines = (text: string) =>
    text
      .split("\n")
      .filter((line) => line !== "")
      .sort();
  const processes: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const argv = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (/s6-|unshare|tini\0--|execline|sleep/.test(argv)) processes.push(argv.replaceAll("\0", " ").trim());
  }
  const groups: string[] = [];
  for (const controller of await readdir("/sys/fs/cgroup")) {
    for (const name of await readdir(join("/sys/fs/cgroup", controller, cgroupParent)).catch(() => [])) {
      if (/^[0-9a-f]{12}$/.test(name)) groups.push(`${controller}/${name}`);
    }
  }
  return {
    netns: lines((await run("ip", ["netns", "list"])).stdout),
    links: lines((await run("ip", ["-br", "link"])).stdout).map((line) => line.split(/\s+/)[0] ?? ""),
    mounts: lines(await readFile("/proc/self/mountinfo", "utf8")).map((line) => line.split(" ")[4] ?? ""),
    processes: processes.sort(),
    groups: groups.sort(),
  };
}

export async function writeFolder(path: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(path, name), text);
    await chmod(join(path, name), 0o755);
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
