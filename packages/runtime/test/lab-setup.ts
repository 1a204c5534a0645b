import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { run } from "@ployz/exec";

/**
 * The lab tests run in namespaces of their own (`unshare` in the script test:lab): bridges, packet filters, named network
 * namespaces and /run are private to them, and every process they leave behind ends with them.
 */
export async function setup(): Promise<void> {
  process.env.PLOYZ_TEST_RUN = randomBytes(3).toString("hex");
  const links = readFileSync("/proc/net/dev", "utf8")
    .split("\n")
    .slice(2)
    .filter((line) => line.trim() !== "");
  const alone =
    process.getuid?.() === 0 &&
    !links.some((line) => !/^\s*(lo|tunl0|sit0|ip6tnl0|gre0|gretap0|erspan0):/.test(line));
  if (!alone)
    throw new Error("run these as root through `pnpm test:lab`: they need a network namespace of their own");
  await run("mount", ["-t", "tmpfs", "-o", "mode=0755,nosuid,nodev,noexec", "tmpfs", "/run"]);
  mkdirSync("/run/netns");
  await run("ip", ["link", "set", "dev", "lo", "up"]);
}

/** What a failed test left in the one thing that is not private to this run: the machine's cgroups. */
export function teardown(): void {
  const prefix = `ployz-test-${process.env.PLOYZ_TEST_RUN}-`;
  for (const controller of readdirSync("/sys/fs/cgroup")) {
    const top = `/sys/fs/cgroup/${controller}`;
    for (const parent of subfolders(top).filter((name) => name.startsWith(prefix))) {
      for (const group of subfolders(`${top}/${parent}`)) removeGroup(`${top}/${parent}/${group}`);
      removeGroup(`${top}/${parent}`);
    }
  }
}

function removeGroup(dir: string): void {
  const pids = readFileSync(`${dir}/cgroup.procs`, "utf8")
    .split("\n")
    .filter((pid) => pid !== "");
  for (const pid of pids) process.kill(Number(pid), "SIGKILL");
  for (let attempt = 0; attempt < 1_000; attempt++) {
    try {
      rmdirSync(dir);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
    }
  }
}

function subfolders(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch {
    return [];
  }
}
